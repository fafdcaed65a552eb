"""What phases are fed: views in turn, in the order in which images would come."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from models.networks import tiny_backbone
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.batches import Batches, batches
from sweeper.data.examples import Examples
from sweeper.data.sources.loading import load
from sweeper.data.splits import split_folds
from sweeper.data.targets import Targets
from sweeper.models.build import attach_head
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.stages import planned
from sweeper.train.frozen.view_batches import of_views
from sweeper.train.runtime import numerics

PHASES = ("phases.frozen.epochs=3", "phases.unfrozen.epochs=2", "freeze.unfreeze_blocks=1")
BATCH = 7


def small(*changes: str) -> Recipe:
    made = recipe(*PHASES, f"batch_size={BATCH}", *changes)
    return made.model_copy(update={"image_size": 8})


def digits(count: int) -> Examples:
    return load(recipe().dataset).train.select(np.arange(count))


def fed(
    made: Recipe,
    folder: Path,
    held: contextlib.ExitStack,
    train: Examples | None = None,
    backbone: keras.Model | None = None,
    held_out: Examples | None = None,
    whole: Examples | None = None,
) -> Feed:
    numerics.set_up(made)
    classifier = attach_head(backbone or tiny_backbone(), made.head, 10)
    targets = Targets(10, False, made.loss.label_smoothing)
    store = Cache(folder, 10**9)
    parts = train or digits(30), held_out or digits(9)
    return Feed.open(made, classifier, *parts, targets, store, held, whole)


def cached(feed: Feed, made: Recipe) -> list[bool]:
    """Whether each phase is fed features instead of images."""
    return [feed.of(phase, 0).model.frozen is None for phase in planned(made)]


def epoch(fed: Batches, number: int) -> tuple[np.ndarray, np.ndarray]:
    parts = list(fed.epochs(number, number + 1).as_numpy_iterator())
    assert [len(values) for values, _ in parts] == [7, 7, 7, 7, 2]
    return np.concatenate([v for v, _ in parts]), np.concatenate([t for _, t in parts])


@pytest.mark.more
@pytest.mark.parametrize("first_step", [0, 5])
@pytest.mark.parametrize("changes", [(), ("augment.mixup=0.4", "loss.label_smoothing=0.2")])
def test_each_epoch_sees_the_next_view_in_the_order_of_images(
    first_step: int, changes: tuple[str, ...], tmp_path: Path
) -> None:
    made = small("augment=digits", "cache.views=2", "seed=4", *changes)
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held)
        train = feed.of(planned(made)[0], first_step).train
        plain, targets = Targets(10, False), Targets(10, False, made.loss.label_smoothing)
        views = feed.kept["frozen"][1:]
        assert len(views) == 2
        pictures = batches(
            digits(30), 8, BATCH, target=lambda labels: labels, shuffle_seed=made.seed
        )
        whole = load(made.dataset).train.raw().batch(30).as_numpy_iterator().next()
        for number in range(first_step, first_step + 4):
            images, labels = epoch(pictures, number)
            places = [int(np.flatnonzero((whole == image).all((1, 2, 3)))[0]) for image in images]
            assert sorted(places) == list(range(30))
            view = views[(number - first_step) % 2]
            rows = view.rows.numpy()[places]
            values, wanted = epoch(train, number)
            np.testing.assert_array_equal(values, view.values.numpy()[rows].astype("float32"))
            if view.targets is None:
                np.testing.assert_array_equal(wanted, targets(labels))
            else:
                mixed = view.targets.numpy()[rows]
                np.testing.assert_allclose(wanted, mixed * 0.8 + 0.02, atol=1e-6)
                assert not np.allclose(mixed, plain(labels))


def test_what_is_validated_by_comes_in_its_order_not_smoothed(tmp_path: Path) -> None:
    made = small("augment=digits", "loss.label_smoothing=0.2")
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held)
        for phase in planned(made):
            found = feed.of(phase, 3).validation
            parts = list(found.dataset.as_numpy_iterator())
            np.testing.assert_array_equal(
                np.concatenate([targets for _, targets in parts]), np.eye(10)[digits(9).labels]
            )


def test_views_are_no_more_than_epochs_and_one_without_augmentation(tmp_path: Path) -> None:
    for number, (changes, expected) in enumerate(
        [(("augment=digits", "cache.views=8"), [3, 2]), (("cache.views=8",), [1, 1])]
    ):
        made = small(*changes)
        with contextlib.ExitStack() as held:
            feed = fed(made, tmp_path / str(number), held)
            assert [len(views) - 1 for views in feed.kept.values()] == expected


def out_of_reach() -> str:
    raise OSError("image 3 is gone")


@pytest.mark.parametrize(
    ("content", "printed"), [(None, ""), (out_of_reach, "not kept: image 3 is gone")]
)
def test_images_that_nobody_can_name_are_trained_on_as_they_are(
    content: Callable[[], str] | None,
    printed: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = small()
    unknown = replace(digits(30), content=content)
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held, train=unknown)
        assert cached(feed, made) == [False, False]
        assert Cache(tmp_path, 1).entries() == []
        values, _ = epoch(feed.of(planned(made)[0], 0).train, 0)
    assert values.shape == (30, 8, 8, 3)
    assert printed in caplog.text
    assert feed.seconds_of_epoch("frozen") == feed.computed_seconds == 0.0


def test_no_views_no_cache(tmp_path: Path) -> None:
    made = small("augment=digits", "cache.views=0")
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held)
        assert cached(feed, made) == [False, False]
        assert feed.of(planned(made)[0], 0).augment is not None
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []


def cells() -> keras.Model:
    """Each cell reads the two before it, as those of NASNet do: two tensors cross."""
    images = keras.Input((8, 8, 3))

    def cell(name: str, *inputs: Any) -> Any:
        parts = [
            keras.layers.Conv2D(2, 1, name=f"normal_conv_{name}_{place}")(one)
            for place, one in enumerate(inputs)
        ]
        return keras.layers.Concatenate(name=f"normal_concat_{name}")(parts)

    first = cell("1", images, images)
    second = cell("2", first, images)
    third = cell("3", second, first)
    return keras.Model(images, cell("4", third, second), name="Cells")


def test_where_two_tensors_cross_the_cut_only_the_head_trains_on_what_is_kept(
    tmp_path: Path,
) -> None:
    made = small()
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held, backbone=cells())
        assert cached(feed, made) == [True, False]
        unfrozen = feed.of(planned(made)[1], 3)
        assert len(unfrozen.model.frozen.outputs) == 2
        assert unfrozen.model(np.zeros((2, 8, 8, 3), "float32")).shape == (2, 10)


def test_where_everything_trains_nothing_is_kept(tmp_path: Path) -> None:
    made = small("freeze.unfreeze_blocks=all", "phases.frozen=null")
    with contextlib.ExitStack() as held:
        assert cached(fed(made, tmp_path, held), made) == [True]  # of no frozen part
        assert Cache(tmp_path, 1).entries() == []


def test_of_views_takes_any_number_of_epochs_in_one_go(tmp_path: Path) -> None:
    made = small("augment=digits", "cache.views=2")
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held)
        views, targets = feed.kept["frozen"][1:], Targets(10, False)
        train = of_views(views, digits(30), targets, BATCH, 0, 0)
        together = list(train.epochs(0, 3).as_numpy_iterator())
        assert len(together) == 3 * train.steps
        alone = [part for n in range(3) for part in train.epochs(n, n + 1).as_numpy_iterator()]
        for (one, _), (other, _) in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.more
@pytest.mark.parametrize("changes", [(), ("augment=digits", "cache.views=2")])
def test_folds_share_what_frozen_layers_give_and_each_is_fed_its_own(
    changes: tuple[str, ...], tmp_path: Path
) -> None:
    made, whole = small(*changes), digits(60)
    views = 1 + 2 * bool(changes)
    seen: dict[tuple[int, int], np.ndarray] = {}
    for train, held_out in split_folds(whole, 3, 0):
        with contextlib.ExitStack() as held:
            feed = fed(made, tmp_path / "whole", held, train, None, held_out, whole)
            alone = fed(made, tmp_path / "alone", held, train, None, held_out)
            for phase in planned(made):
                one, other = feed.of(phase, 0), alone.of(phase, 0)
                assert one.validation.labels.tolist() == held_out.labels.tolist()
                fed_both = [(one.validation, other.validation)]
                if not changes:  # else draws are others, since images stand in another order
                    fed_both.append((one.train, other.train))
                for batches_of in fed_both:
                    mine, expected = (list(b.epochs(2, 3).as_numpy_iterator()) for b in batches_of)
                    for (values, targets), (same, reported) in zip(mine, expected, strict=True):
                        np.testing.assert_allclose(values, same, rtol=1e-3, atol=1e-3)
                        np.testing.assert_array_equal(targets, reported)
            for number, view in enumerate(feed.kept["unfrozen"][1:]):
                values = view.values.numpy()[view.rows_of(train).numpy()]
                for image, value in zip(train.indices, values, strict=True):
                    np.testing.assert_array_equal(seen.setdefault((number, image), value), value)
    # of two cuts
    assert len(Cache(tmp_path / "whole", 1).entries()) == 2 * views
    assert len(Cache(tmp_path / "alone", 1).entries()) == 2 * 3 * max(2, views)


def test_what_is_mixed_never_sees_what_its_fold_is_validated_by(tmp_path: Path) -> None:
    made, whole = small("augment.mixup=0.4", "cache.views=2"), digits(60)
    train, held_out = split_folds(whole, 3, 0)[0]
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held, train, None, held_out, whole)
        for of_held_out, *views in feed.kept.values():
            assert len(of_held_out.images) == len(whole)
            assert [view.images.examples is train for view in views] == [True, True]


def test_seconds_of_a_fold_are_its_share(tmp_path: Path) -> None:
    made, whole = small("augment=digits", "cache.views=2"), digits(60)
    train, held_out = split_folds(whole, 3, 0)[0]
    with contextlib.ExitStack() as held:
        feed = fed(made, tmp_path, held, train, None, held_out, whole)
        of_held_out, one, other = feed.kept["frozen"]
        expected = (one.seconds + other.seconds) / 2 * 2 / 3 + of_held_out.seconds / 3
        assert feed.seconds_of_epoch("frozen") == pytest.approx(expected)
