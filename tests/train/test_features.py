"""What frozen layers give: the right numbers, kept once, under a key for each set of numbers."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from disks import file_limit
from models.networks import freeze_config, head_config, tiny_backbone
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.data.augment import augmentation
from sweeper.data.augment.augmentation import build_augment
from sweeper.data.augment.image_draws import image_draws
from sweeper.data.batches import batches, shuffled
from sweeper.data.examples import Examples, Indices
from sweeper.data.sources.loading import load
from sweeper.data.targets import Targets
from sweeper.models.build import attach_head
from sweeper.models.prefix import Prefix
from sweeper.train.frozen import frozen_pass
from sweeper.train.frozen.features import Features
from sweeper.train.frozen.views import Images, View
from sweeper.train.runtime import numerics

COUNT = 150  # two batches of 64 and one of 22
PLAIN = Targets(10, False)
HALF = 2.0**-10
"""How far neighbouring numbers of half precision are from each other, as a share."""


@dataclass
class Counted:
    """The first digits, and how often all of them were read."""

    passes: int = 0

    @property
    def examples(self) -> Examples:
        plain = load(recipe().dataset).train.select(np.arange(COUNT))

        def read(indices: Indices) -> tf.data.Dataset:
            self.passes += 1
            return plain.read(indices)

        return replace(plain, read=read)


def images(*changes: str, view: int = 0, examples: Examples | None = None) -> Images:
    made = recipe(*changes)
    found = examples or Counted().examples
    augment = build_augment(made.augment, made.seed)
    return Images(found, str(found.fingerprint()), 8, augment, PLAIN, view)


def prefixes(cuts: Sequence[int] = (2, 1, 0), backbone: Any = None) -> list[keras.Model]:
    """What is frozen where so many blocks are unfrozen, of a network that is always the same."""
    keras.utils.set_random_seed(0)
    classifier = attach_head(backbone or tiny_backbone(), head_config(), 10)
    split_models = [
        classifier.split_model(freeze_config(unfreeze_blocks=cut)).thaw() for cut in cuts
    ]
    return [parts[0] for split_model in split_models if (parts := split_model.split())]


@pytest.fixture(autouse=True)
def set_up() -> None:
    """Of the process: number format, seeds."""
    numerics.set_up(recipe())


@pytest.fixture
def held() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "entries", 10**9)


def features(store: Cache, models: Sequence[keras.Model], precision: str = "float32") -> Features:
    return Features(store, [Prefix(lambda model=model: model) for model in models], precision)


def opened(
    store: Cache, held: contextlib.ExitStack, models: Sequence[keras.Model], *wanted: Images
) -> list[list[View] | None]:
    return features(store, models).open([wanted] * len(models), held)


def one(
    store: Cache, held: contextlib.ExitStack, model: keras.Model, wanted: Images
) -> View | None:
    (found,) = opened(store, held, [model], wanted)
    return found[0] if found else None


def by_hand(model: keras.Model, wanted: Images) -> tuple[np.ndarray, np.ndarray]:
    """Values and targets in the order of the examples."""
    augment = wanted.augment
    seed = augment.seed if augment and wanted.mixed else None
    source = batches(wanted.examples, 8, 64, target=PLAIN, shuffle_seed=seed)
    values, targets = [], []
    for step, batch in enumerate(source.epochs(wanted.view, wanted.view + 1)):
        pixels, labels = batch
        if augment and wanted.mixed:
            pixels, labels = augment(*batch, wanted.view * 3 + step)
        elif augment:
            shown = wanted.hashes()[step * 64 :][: len(labels)]
            draws = image_draws(shown, augment.seed, wanted.view, augment.draws)
            pixels = augment.by_image(batch[0], draws)
        values.append(np.asarray(model(pixels, training=False)))
        targets.append(np.asarray(labels))
    places = tf.data.Dataset.range(COUNT)
    order = tf.data.Dataset.range(wanted.view, wanted.view + 1).flat_map(
        lambda number: shuffled(places, COUNT, seed, number)
    )
    back = np.argsort(list(order.as_numpy_iterator()))
    return np.concatenate(values)[back], np.concatenate(targets)[back]


def in_order(view: View, values: tf.Tensor) -> np.ndarray:
    return tf.gather(values, view.rows).numpy().astype("float32")


@pytest.mark.parametrize("augment", ["none", "digits", "strong"])
@pytest.mark.parametrize("number", [pytest.param(0, marks=pytest.mark.more), 2])
def test_a_view_holds_what_the_frozen_layers_make_of_the_augmented_images(
    augment: str, number: int, store: Cache, held: contextlib.ExitStack
) -> None:
    model, wanted = prefixes([1])[0], images(f"augment={augment}", "seed=3", view=number)
    view = one(store, held, model, wanted)
    assert view is not None
    values, targets = by_hand(model, wanted)
    np.testing.assert_allclose(in_order(view, view.values), values, rtol=2 * HALF, atol=1e-4)
    labels = np.eye(10)[wanted.examples.labels]
    if wanted.mixed:
        assert view.targets is not None
        np.testing.assert_allclose(in_order(view, view.targets), targets, atol=1e-6)
        assert not np.allclose(targets, labels)
    else:
        assert view.targets is None
        np.testing.assert_array_equal(targets, labels)


def test_several_prefixes_take_one_pass_and_each_gives_what_it_gives_alone(
    tmp_path: Path, held: contextlib.ExitStack
) -> None:
    counted, models = Counted(), prefixes()
    wanted = images("augment=digits", examples=counted.examples)
    together = opened(Cache(tmp_path / "together", 10**9), held, models, wanted)
    assert counted.passes == 1
    for model, views in zip(models, together, strict=True):
        alone = one(Cache(tmp_path / "alone", 10**9), held, model, wanted)
        assert views is not None
        assert alone is not None
        # TensorFlow joins operations whose results nobody else reads, which moves last bits
        np.testing.assert_allclose(views[0].values, alone.values, rtol=HALF, atol=1e-6)
    assert counted.passes == 4


def test_what_is_kept_is_not_computed_again_and_what_lacks_is(
    store: Cache, held: contextlib.ExitStack
) -> None:
    counted = Counted()
    wanted = images(examples=counted.examples)
    low, middle, pooled = prefixes()
    opened(store, held, [middle], wanted)
    again = features(store, [middle])
    again.open([[wanted]], held)
    assert (counted.passes, again.computing.seconds) == (1, 0.0)
    rest = features(store, [pooled, low, middle])
    found = rest.open([[wanted]] * 3, held)
    assert counted.passes == 2
    assert rest.computing.seconds > 0
    shapes = [views[0].values.shape[1:] for views in found if views]
    assert shapes == [(4,), (8, 8, 4), (8, 8, 4)]


def test_one_prefix_wanted_twice_is_kept_once(store: Cache, held: contextlib.ExitStack) -> None:
    counted = Counted()
    views = [images("augment=digits", view=view, examples=counted.examples) for view in range(3)]
    views = [replace(view, examples=views[0].examples) for view in views]
    first, second = features(store, prefixes([0]) + prefixes([0])).open([views[:1], views], held)
    assert first is not None
    assert second is not None
    assert (len(first), len(second)) == (1, 3)
    assert counted.passes == 3
    assert len(store.entries()) == 3


def test_a_prefix_that_wants_fewer_views_gets_no_more(
    store: Cache, held: contextlib.ExitStack
) -> None:
    examples = Counted().examples
    views = [images("augment=digits", view=view, examples=examples) for view in range(3)]
    features(store, prefixes([1, 0])).open([views, views[:1]], held)
    assert len(store.entries()) == 4


def names(store: Cache) -> set[str]:
    return {entry.name for entry in store.entries()}


def test_whatever_changes_numbers_changes_the_key(
    store: Cache, held: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, examples = prefixes([1])[0], Counted().examples
    base = images("augment=digits", examples=examples)
    words = set()

    def word(wanted: Images, network: keras.Model = model, precision: str = "float32") -> str:
        before = names(store)
        features(store, [network], precision).open([[wanted]], held)
        (new,) = names(store) - before or {""}
        return new

    words.add(word(base))
    fewer = examples.select(np.arange(COUNT - 1))
    for other in (
        images("augment=digits", "augment.rotation=0.1", examples=examples),
        images("augment=digits", "seed=1", examples=examples),
        images("augment=digits", view=1, examples=examples),
        images(examples=examples),
        images("augment=digits", "augment.mixup=0.2", examples=examples),
        images("augment=digits", examples=fewer),
        replace(base, data="another file"),
    ):
        words.add(word(other))
    words.add(word(base, precision="mixed_bfloat16"))
    words.add(word(base, prefixes([2])[0]))
    model.weights[0].assign(model.weights[0] + 1e-6)
    words.add(word(base))
    monkeypatch.setattr(tf, "__version__", "9.9")
    words.add(word(base))
    monkeypatch.setattr(frozen_pass, "NUMBERS", 99)
    words.add(word(base))
    monkeypatch.setattr(augmentation, "NUMBERS", 99)
    words.add(word(base))
    assert len(words) == 14
    assert "" not in words


def test_labels_count_where_they_are_mixed_and_only_there(
    store: Cache, held: contextlib.ExitStack
) -> None:
    examples = Counted().examples
    other = replace(examples, labels=examples.labels[::-1].copy())
    for changes, expected in ((("augment=digits",), 1), (("augment.cutmix=1",), 3)):
        for labelled in (examples, other):
            one(store, held, prefixes([0])[0], images(*changes, examples=labelled))
        assert len(store.entries()) == expected


def test_a_seed_without_augmentation_changes_nothing(
    store: Cache, held: contextlib.ExitStack
) -> None:
    examples = Counted().examples
    for seed in (0, 1):
        one(store, held, prefixes([0])[0], images(f"seed={seed}", examples=examples))
    assert len(store.entries()) == 1


def beyond(scale: float) -> list[keras.Model]:
    """Two cuts, of which the lower gives numbers of this size."""
    pictures = keras.Input((8, 8, 3))
    large = keras.layers.Rescaling(scale)(pictures)
    small = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / scale)(large))
    return [keras.Model(pictures, large), keras.Model(pictures, small)]


def test_numbers_beyond_half_precision_are_not_kept_and_it_is_not_tried_again(
    store: Cache, held: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    wanted = images(examples=counted.examples)
    for _ in range(2):
        large, small = opened(store, held, beyond(1e4), wanted)
        assert large is None
        assert small is not None
        np.testing.assert_allclose(
            in_order(small[0], small[0].values), by_hand(beyond(1e4)[1], wanted)[0], rtol=HALF
        )
        assert "beyond half precision" in caplog.text
        caplog.clear()
        counted.passes -= 1  # by hand
    assert counted.passes == 1


def test_what_exceeds_the_budget_is_not_begun(
    tmp_path: Path, held: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    wanted = images(examples=counted.examples)
    budget = wanted.bytes_of((8, 8, 4)) + 100
    low, pooled = opened(Cache(tmp_path / "1", budget), held, prefixes([1, 0]), wanted)
    assert low is None
    assert pooled is not None
    assert opened(Cache(tmp_path / "2", 0), held, prefixes([1, 0]), wanted) == [None, None]
    assert counted.passes == 1
    assert [record.getMessage().split(": ")[1][:20] for record in caplog.records] == [
        "cache.budget_gb is 8",
        "cache.budget_gb is 0",
        "cache.budget_gb is 0",
    ]


def test_a_disk_that_takes_no_more_keeps_nothing_after_one_pass(
    store: Cache, held: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    # half of what a cut gives
    with file_limit(COUNT * 8 * 8 * 4):
        assert opened(store, held, prefixes(), images(examples=counted.examples)) == [None] * 3
    assert counted.passes == 1
    assert "features are not kept: File too large" in caplog.text
    assert len(caplog.records) == 1
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_without_one_of_its_views_none_is_held(tmp_path: Path, held: contextlib.ExitStack) -> None:
    examples = Counted().examples
    views = [images("augment=digits", view=view, examples=examples) for view in range(2)]
    tight = Cache(tmp_path, 2 * views[0].bytes_of((8, 8, 4)) + 100)
    with contextlib.ExitStack() as other:
        # another trial's
        opened(tight, other, prefixes([1]), images(examples=examples))
        assert opened(tight, held, prefixes([1]), *views) == [None]
        assert [entry.in_use for entry in tight.entries()].count(True) == 1


def test_a_view_in_use_stays_whatever_else_wants_room(
    tmp_path: Path, held: contextlib.ExitStack
) -> None:
    examples = Counted().examples
    wanted, other = (images("augment=digits", view=view, examples=examples) for view in (0, 1))
    tight = Cache(tmp_path, wanted.bytes_of((8, 8, 4)) + 100)
    with contextlib.ExitStack() as mine:
        view = one(tight, mine, prefixes([1])[0], wanted)
        assert view is not None
        assert one(tight, held, prefixes([1])[0], other) is None
        expected = by_hand(prefixes([1])[0], wanted)[0]
        np.testing.assert_allclose(in_order(view, view.values), expected, rtol=HALF, atol=1e-4)
    assert one(tight, held, prefixes([1])[0], other) is not None
    # its file is gone, and what is mapped remains
    np.testing.assert_allclose(in_order(view, view.values), expected, rtol=HALF, atol=1e-4)


def test_values_cut_short_are_noticed_and_computed_again(store: Cache) -> None:
    counted = Counted()
    wanted = images(examples=counted.examples)
    for expected in (1, 2):
        with contextlib.ExitStack() as stack:
            view = one(store, stack, prefixes([0])[0], wanted)
            assert view is not None
            values = in_order(view, view.values)
        assert counted.passes == expected
        (entry,) = store.entries()
        file = store.folder / entry.name / "files" / "values.float16"
        with file.open("r+b") as content:
            content.truncate(file.stat().st_size // 2)
    np.testing.assert_allclose(values, by_hand(prefixes([0])[0], wanted)[0], rtol=HALF, atol=1e-4)
