"""What all trials share is there before the first one, and nothing that few need."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.images import kept
from sweeper.data.sources.loading import load
from sweeper.data.targets import Targets
from sweeper.paths import entries_dir
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.stages import planned
from sweeper.train.folds import splits_of
from sweeper.train.prebuild import FROZEN, Prebuilt, prebuild
from sweeper.train.trial import build_classifier_for

BASE = ("image_size=32", "phases.frozen.epochs=1", "phases.unfrozen.epochs=1")


def made(depth: int, *changes: str) -> Recipe:
    return recipe(*BASE, f"freeze.unfreeze_blocks={depth}", *changes)


def trial(made: Recipe) -> tuple[float, list[bool]]:
    """Seconds that a trial computes frozen layers for, and which phases are fed what is kept."""
    source, store = load(made.dataset), Cache(entries_dir(), 10**10)
    seconds, cached = 0.0, []
    with contextlib.ExitStack() as held:
        train = held.enter_context(kept(store, source.train, made.image_size))
        for part, held_out in splits_of(replace(source, train=train), made):
            classifier = build_classifier_for(made, 10)
            whole = train if made.validation.kind == "kfold" else None
            feed = Feed.open(
                made, classifier, part, held_out, Targets(10, False), store, held, whole
            )
            seconds += feed.computed_seconds
            cached += [feed.seconds_of_epoch(phase.name) > 0 for phase in planned(made)]
    return seconds, cached


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        ("augment=digits", "cache.views=2", "phases.unfrozen.epochs=3", "drop_connect_rate=0.4"),
        pytest.param(
            ("validation=kfold", "validation.folds=2", "augment.mixup=0.2", "cache.views=1"),
            marks=pytest.mark.more,
        ),
        pytest.param(("validation=test",), marks=pytest.mark.more),
    ],
)
def test_after_it_trials_between_the_corners_compute_nothing(changes: tuple[str, ...]) -> None:
    corners = [made(3, *changes), made(1, *changes, "optimizer=sgd", "batch_size=8")]
    received: list[tuple[str, int, int]] = []
    assert prebuild(corners, lambda *advance: received.append(advance)).seconds > 0
    done = [images for work, images, _ in received if work == FROZEN]
    assert done == sorted(set(done))
    assert {total for work, _, total in received if work == FROZEN} == {done[-1]}
    for depth in (1, 2, 3):
        seconds, cached = trial(made(depth, *changes, "optimizer.learning_rate=0.1"))
        assert seconds == 0
        assert all(cached)
    received.clear()
    assert prebuild(corners, lambda *advance: received.append(advance)).seconds == 0
    assert not received


@pytest.mark.more
@pytest.mark.slow
def test_each_cut_is_kept_in_as_many_views_as_some_trial_sees() -> None:
    augmented = ("augment=digits", "cache.views=4")
    one = made(1, *augmented, "phases.frozen.epochs=2")
    other = made(1, *augmented, "phases.unfrozen.epochs=3", "head.pooling=max")
    prebuild([one, other])
    entries = [entry for entry in Cache(entries_dir(), 1).entries() if entry.kind == "features"]
    # of held-out images one view; average and largest pooling: 2 and 1; the cut, once for both: 3
    assert len(entries) == (1 + 2) + (1 + 1) + (1 + 3)


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "sets"),
    [((), 1), pytest.param(("augment=digits", "cache.views=1"), 2, marks=pytest.mark.more)],
)
def test_folds_are_one_set_of_images(changes: tuple[str, ...], sets: int) -> None:
    folds = ("validation=kfold", "validation.folds=3", "phases.unfrozen=null")
    received: list[tuple[str, int, int]] = []
    corners = [made(1, *folds, *changes), made(1, *folds, *changes, "optimizer=sgd")]
    prebuild(corners, lambda *advance: received.append(advance))
    images = len(load(corners[0].dataset).train)
    assert received[-1] == (FROZEN, sets * images, sets * images)
    assert trial(corners[0]) == (0.0, [True] * 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("backbone=efficientnet_lite0", "backbone=mobilenet_v2"),
        ("seed=0", "seed=1"),
        ("augment=none", "augment=digits"),
        ("image_size=32", "image_size=64"),
        ("precision=float32", "precision=mixed_bfloat16"),
        ("cache.views=0", "cache.views=0"),
    ],
)
def test_where_few_trials_need_the_same_nothing_is_computed_for_all(one: str, other: str) -> None:
    assert prebuild([made(1, one), made(1, other)]) == Prebuilt()
    assert not entries_dir().exists()


@pytest.mark.more
@pytest.mark.parametrize("augment", ["none", pytest.param("photo", marks=pytest.mark.more)])
def test_after_relabelling_only_new_images_go_through_the_backbone(
    augment: str, tmp_path: Path
) -> None:
    def draw(file: Path, number: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(file)

    for number in range(24):
        split = "validation" if number % 4 == 0 else "train"
        draw(tmp_path / split / ("cat", "dog")[number // 4 % 2] / f"{number}.png", number)
    changed = made(
        2,
        *("dataset=folder", f"dataset.path={tmp_path}", "dataset.test_fraction=0"),
        *(f"augment={augment}", "cache.views=1"),
    )
    first = prebuild([changed])
    assert (first.computed, first.reused) == (24, 0)
    for split in ("train", "validation"):
        file = min((tmp_path / split / "cat").iterdir())
        file.rename(tmp_path / split / "dog" / f"moved_{file.name}")
    draw(tmp_path / "train" / "dog" / "new.png", 99)
    second = prebuild([changed])
    assert (second.computed, second.reused) == (1, 24)
    assert second.seconds > 0
    third = prebuild([changed])
    assert (third.computed, third.reused, third.seconds) == (0, 0, 0)
