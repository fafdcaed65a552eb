"""Each setting changes images as the Keras layer of that name does, from a seed alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sweeper.config import Augment
from sweeper.data.augment import affine_rows, build_augment

OFF = {"flip": "none", "rotation": 0.0, "translation": 0.0, "zoom": 0.0, "contrast": 0.0}
SETTINGS = [
    {"flip": "horizontal"},
    {"flip": "vertical"},
    {"flip": "horizontal_and_vertical"},
    {"rotation": 0.1},
    {"translation": 0.2},
    {"zoom": 0.3},
    {"contrast": 0.4},
]
PHOTO = {"flip": "horizontal", "rotation": 0.15, "translation": 0.1, "contrast": 0.1}


def photos(n: int = 16, height: int = 12, width: int = 10) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (n, height, width, 3)).astype(np.float32)


def augment(seed: int = 0, **changes: object):
    return build_augment(Augment(**OFF | changes), seed)


def test_all_off_is_none():
    assert augment() is None


@pytest.mark.parametrize("changes", SETTINGS)
def test_each_setting_changes_the_image_and_keeps_its_kind(changes):
    before = photos()
    after = augment(**changes)(before)
    assert after.dtype == tf.float32
    assert after.shape == before.shape
    assert np.abs(after - before).max() > 10
    assert 0 <= after.numpy().min() <= after.numpy().max() <= 255


def test_images_of_a_batch_change_differently():
    same = np.repeat(photos(1), 8, axis=0)
    after = augment(**PHOTO)(same).numpy()
    assert len({image.tobytes() for image in after}) == 8


def test_seed_and_draw_decide():
    before = photos()
    first = augment(1, **PHOTO)(before, 5).numpy()
    np.testing.assert_array_equal(first, augment(1, **PHOTO)(before, tf.constant(5)).numpy())
    assert np.abs(first - augment(1, **PHOTO)(before, 6)).max() > 10
    assert np.abs(first - augment(2**32 - 1, **PHOTO)(before, 5)).max() > 10


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
    after = augment(flip=flip)(before).numpy()
    seen = set()
    for one, other in zip(before, after, strict=True):
        matches = [(y, x) for y, x in mirrors if np.abs(one[::y, ::x] - other).max() < 0.01]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen == set(mirrors)


def test_contrast_keeps_the_mean_and_scales_the_rest():
    before = 100 + photos() / 10
    after = augment(contrast=0.5)(before).numpy()
    np.testing.assert_allclose(after.mean((1, 2)), before.mean((1, 2)), rtol=1e-4)
    factors = after.std((1, 2)) / before.std((1, 2))
    assert np.ptp(factors, axis=1).max() < 1e-3  # one factor an image
    assert 0.5 <= factors.min() < 0.8
    assert 1.2 < factors.max() <= 1.5


def keras_layer(kind: str, amount: float):
    exactly = (amount, amount)
    return {
        "rotation": lambda: keras.layers.RandomRotation(exactly, seed=0),
        "right": lambda: keras.layers.RandomTranslation(0.0, exactly, seed=0),
        "down": lambda: keras.layers.RandomTranslation(exactly, 0.0, seed=0),
        "zoom": lambda: keras.layers.RandomZoom(exactly, seed=0),
    }[kind]()


@pytest.mark.parametrize("amount", [-0.2, 0.13])
@pytest.mark.parametrize("kind", ["rotation", "right", "down", "zoom"])
def test_amounts_mean_what_they_mean_in_keras(kind, amount):
    before = photos(2)
    still, whole = np.zeros(2, np.float32), np.ones(2, np.float32)
    rows = affine_rows(
        mirror_x=whole,
        mirror_y=whole,
        turns=still + amount * (kind == "rotation"),
        shift_x=still + amount * (kind == "right"),
        shift_y=still + amount * (kind == "down"),
        scale=whole + amount * (kind == "zoom"),
        height=12,
        width=10,
    )
    ours = keras.ops.image.affine_transform(
        before, rows, interpolation="bilinear", fill_mode="reflect"
    )
    theirs = keras_layer(kind, amount)(before, training=True)
    np.testing.assert_allclose(ours, theirs, atol=0.05)
