"""Each setting changes batches as the Keras layer of that name does, from a seed alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from recipes import composed, recipe
from scipy import stats

from sweeper.config import Augment
from sweeper.data.augment.augmentation import Augmentation, build_augment
from sweeper.paths import conf_dir
from sweeper.search.space.search_space import parse_space

OFF = yaml.safe_load((conf_dir() / "augment" / "none.yaml").read_text())
SETTINGS = [
    {"flip": "horizontal"},
    {"flip": "vertical"},
    {"flip": "horizontal_and_vertical"},
    {"rotation": 0.1},
    {"translation": 0.2},
    {"zoom": 0.3},
    {"shear": 0.3},
    {"brightness": 0.4},
    {"contrast": 0.4},
    {"rand_augment": 2},
    {"mixup": 1.0},
    {"cutmix": 1.0},
]
PHOTO = {"flip": "horizontal", "rotation": 0.15, "translation": 0.1, "contrast": 0.1}
EVERYTHING = {
    **{"flip": "horizontal_and_vertical", "rotation": 0.1, "translation": 0.2, "zoom": 0.3},
    **{"shear": 0.3, "brightness": 0.4, "contrast": 0.4, "rand_augment": 2},
    **{"mixup": 0.4, "cutmix": 1.0},
}


def photos(n: int = 16, height: int = 12, width: int = 10) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (n, height, width, 3)).astype(np.float32)


def one_hot(n: int = 16) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[np.arange(n) % 4]


def built(seed: int = 0, **changes: object) -> Augmentation:
    augmentation = build_augment(Augment.model_validate(OFF | changes), seed)
    assert augmentation is not None
    return augmentation


def changed(images: np.ndarray, draw: int = 0, seed: int = 0, **changes: object) -> np.ndarray:
    return built(seed, **changes)(images, one_hot(len(images)), draw)[0].numpy()


def test_all_off_is_none():
    assert build_augment(Augment.model_validate(OFF), 0) is None


@pytest.mark.parametrize("changes", SETTINGS)
def test_each_setting_changes_images_and_keeps_their_kind(changes):
    before = photos()
    after, targets = built(**changes)(before, one_hot(), 0)
    assert after.dtype == targets.dtype == tf.float32
    assert after.shape == before.shape
    assert np.abs(after - before).max() > 10
    assert 0 <= after.numpy().min() <= after.numpy().max() <= 255
    mixes = {"mixup", "cutmix"} & set(changes)
    assert bool(mixes) == (np.abs(targets - one_hot()).max() > 0)
    np.testing.assert_allclose(tf.reduce_sum(targets, axis=1), 1, atol=1e-6)


def test_images_of_a_batch_change_differently():
    after = changed(np.repeat(photos(1), 8, axis=0), **PHOTO)
    assert len({image.tobytes() for image in after}) == 8


def test_seed_and_draw_decide():
    before = photos()
    first = changed(before, 5, 1, **EVERYTHING)
    np.testing.assert_array_equal(first, changed(before, tf.constant(5), 1, **EVERYTHING))
    assert np.abs(first - changed(before, 6, 1, **EVERYTHING)).max() > 10
    assert np.abs(first - changed(before, 5, 2**32 - 1, **EVERYTHING)).max() > 10


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("changes", [*SETTINGS, EVERYTHING])
def test_any_number_of_images_of_odd_sizes_with_one_logit(changes, count):
    before = photos(count, 7, 9)
    after, targets = built(**changes)(before, np.ones((count, 1), np.float32), 0)
    assert after.shape == before.shape
    np.testing.assert_allclose(targets, np.ones((count, 1)))


def test_a_graph_on_any_thread_gives_what_eager_execution_gives():
    augmentation = built(3, **EVERYTHING | {"rand_augment": 1})
    before, targets = photos(8), one_hot(8)
    draws = range(6)
    eager = [[part.numpy() for part in augmentation(before, targets, draw)] for draw in draws]

    dataset = tf.data.Dataset.range(len(draws)).map(
        lambda draw: augmentation(before, targets, draw), num_parallel_calls=4
    )
    passes = [list(dataset.as_numpy_iterator()) for _ in range(2)]
    signature = [tf.TensorSpec([None, 12, 10, 3]), tf.TensorSpec([None, 4])]
    graph = tf.function(augmentation, input_signature=[*signature, tf.TensorSpec([], tf.int64)])
    # the order in which threads come to it is another each time
    with ThreadPoolExecutor(4) as threads:
        traced = list(threads.map(lambda draw: graph(before, targets, draw), reversed(draws)))[::-1]
    for results in (*passes, traced):
        for expected, (images, mixed) in zip(eager, results, strict=True):
            # a fused multiplication rounds once where two operations round twice
            np.testing.assert_allclose(images, expected[0], atol=1e-2)
            np.testing.assert_allclose(mixed, expected[1], atol=1e-6)
    for first, other in zip(*passes, strict=True):
        np.testing.assert_array_equal(first[0], other[0])
        np.testing.assert_array_equal(first[1], other[1])


def test_nothing_is_remembered():
    with tf.Graph().as_default() as graph:
        images = tf.zeros([2, 8, 8, 3])
        built(**EVERYTHING)(images, tf.zeros([2, 4]), tf.constant(0, tf.int64))
        stateful = {one.name for one in graph.get_operations() if one.op_def.is_stateful}
    assert not stateful


def test_images_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = built(**EVERYTHING)(photos(), one_hot(), 0)
    finally:
        keras.config.set_dtype_policy("float32")
    whole = built(**EVERYTHING)(photos(), one_hot(), 0)
    for one, other in zip(half, whole, strict=True):
        assert one.dtype == tf.float32
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("flip", "mirrors"),
    [
        ("horizontal", [(1, 1), (1, -1)]),
        ("vertical", [(1, 1), (-1, 1)]),
        ("horizontal_and_vertical", [(1, 1), (1, -1), (-1, 1), (-1, -1)]),
    ],
)
def test_flips_are_exact_and_all_occur(flip, mirrors):
    before = photos(64)
    after = changed(before, flip=flip)
    seen = set()
    for one, other in zip(before, after, strict=True):
        matches = [(y, x) for y, x in mirrors if np.abs(one[::y, ::x] - other).max() < 0.01]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen == set(mirrors)


DRAWN, SIDE = 1000, 24


def places() -> np.ndarray:
    """Images whose channels are x and y, so that a changed one tells where its pixels were."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.broadcast_to(np.stack([x, y, 0 * x], axis=-1), (DRAWN, SIDE, SIDE, 3)).copy()


def matrices(images: np.ndarray) -> np.ndarray:
    """``[n, 6]``: input x and y for a step right, a step down, and at the centre (from there)."""
    half = SIDE // 2
    middle = np.asarray(images)[:, half - 1 : half + 1, half - 1 : half + 1, :2]
    right = (middle[:, :, 1] - middle[:, :, 0]).mean(axis=1)
    down = (middle[:, 1] - middle[:, 0]).mean(axis=1)
    centre = middle.mean(axis=(1, 2)) - (SIDE - 1) / 2
    return np.concatenate([right, down, centre], axis=1)


LAYERS: dict[str, tuple[float, Callable[[], keras.Layer], list[int]]] = {
    "rotation": (0.1, lambda: keras.layers.RandomRotation(0.1, seed=1), [0, 1, 2, 3]),
    "translation": (0.2, lambda: keras.layers.RandomTranslation(0.2, 0.2, seed=1), [4, 5]),
    "zoom": (0.3, lambda: keras.layers.RandomZoom(0.3, seed=1), [0, 3]),
    # about the corner in Keras, so the centre moves
    "shear": (0.3, lambda: keras.layers.RandomShear(0.3, 0.3, seed=1), [1, 2]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_geometry_is_distributed_as_in_keras(name):
    amount, layer, varying = LAYERS[name]
    ours = matrices(changed(places(), **{name: amount}))
    theirs = matrices(layer()(places(), training=True))
    for column in range(6):
        spread = np.ptp(ours[:, column])
        if column in varying:
            assert spread > 0.05
            assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3
        else:
            assert spread < 1e-3


def test_amounts_are_drawn_independently():
    after = matrices(changed(places(), translation=0.1, zoom=0.1, shear=0.1))
    correlated = np.abs(np.corrcoef(after[:, [0, 1, 2, 4, 5]].T)) - np.eye(5)
    assert correlated.max() < 0.15


def test_brightness_multiplies_evenly_in_both_directions():
    plain = np.full((2000, 4, 4, 3), 100, np.float32) * np.array([1, 0.5, 0], np.float32)
    after = changed(plain, brightness=0.3)
    factors = after[:, 0, 0, 0] / 100
    np.testing.assert_allclose(after, plain * factors[:, None, None, None], atol=1e-3)
    assert stats.kstest(factors, stats.uniform(0.7, 0.6).cdf).pvalue > 1e-3


def test_contrast_keeps_the_mean_and_scales_the_rest():
    before = 100 + photos() / 10
    after = changed(before, contrast=0.5)
    np.testing.assert_allclose(after.mean((1, 2)), before.mean((1, 2)), rtol=1e-4)
    factors = after.std((1, 2)) / before.std((1, 2))
    assert np.ptp(factors, axis=1).max() < 1e-3  # one factor an image
    many = changed(100 + photos(2000, 4, 4) / 10, contrast=0.5)
    drawn = (many.std((1, 2)) / (photos(2000, 4, 4) / 10).std((1, 2)))[:, 0]
    assert stats.kstest(drawn, stats.uniform(0.5, 1).cdf).pvalue > 1e-3


def test_light_is_changed_before_rand_augment_and_mixing_after_it():
    """Plain images are changed by light and mixing only: all else leaves them as they are."""
    before = np.full((64, 9, 9, 3), 200, np.float32)
    bright = {"brightness": 0.5}
    alone = changed(before, **bright)[:, 0, 0, 0]
    assert alone.max() == 255  # cut off before it is mixed
    weak = {"rotation": 0.12, "rand_augment": 2, "rand_augment_magnitude": 0.0}
    mixed = changed(before, **bright, **weak, cutmix=1.0)[..., 0]
    own, other = (values[:, None, None] for values in (alone, np.roll(alone, 1)))
    box = np.abs(mixed - own) > 1.1  # some operations round
    assert box.any()
    np.testing.assert_allclose(mixed[box], np.broadcast_to(other, box.shape)[box], atol=1.1)
    for one in box:  # not turned with the image
        assert (one == np.outer(one.any(axis=1), one.any(axis=0))).all()


@pytest.mark.parametrize("option", [path.stem for path in (conf_dir() / "augment").iterdir()])
def test_every_option_holds_every_key(option):
    augment = recipe(f"augment={option}").augment
    assert (option == "none") == (build_augment(augment, 0) is None)
    assert (augment.flip == "none") == (option in {"none", "digits"})
    assert list(yaml.safe_load((conf_dir() / "augment" / f"{option}.yaml").read_text())) == list(
        OFF
    )


@pytest.mark.parametrize("key", sorted(OFF))
def test_every_key_can_be_swept_from_the_command_line(key):
    values = {"flip": "choice(none,horizontal)", "rand_augment": "range(0,3)"}
    given = f"augment.{key}={values.get(key, 'interval(0,0.2)')}"
    space = parse_space(
        OverridesParser.create(), {}, (given,), lambda overrides: composed(*overrides)
    )
    assert set(space.searched) == {f"augment.{key}"}
    corners = [recipe(f"augment.{key}={corner[f'augment.{key}']}") for corner in space.corners()]
    assert len({getattr(corner.augment, key) for corner in corners}) >= 2


def test_the_affine_option_is_that_of_the_xception_recipe():
    augment = recipe("augment=affine").augment
    assert 360 * augment.rotation == pytest.approx(20, abs=0.05)
    assert np.rad2deg(np.arctan(augment.shear)) == pytest.approx(10, abs=0.05)
    assert (augment.translation, augment.zoom, augment.brightness) == (0.1, 0.1, 0.3)
    assert augment.flip == "horizontal"
