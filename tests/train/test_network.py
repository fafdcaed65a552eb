"""A backbone that is built when it is needed, or never: the same numbers in every case."""

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.networks import freeze_config, tiny_backbone
from recipes import recipe

from sweeper.config import Recipe
from sweeper.models.prefix import Prefix
from sweeper.models.size import size_of
from sweeper.paths import entries_dir
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import NullTracker, of_fold
from sweeper.train.building import BackboneSummary, build_classifier_for, find, known_of, to_json
from sweeper.train.prebuild import prebuild
from sweeper.train.runtime import numerics
from sweeper.train.trial import Trial

SHORT = (
    "+experiment=digits_lite0",
    "image_size=32",
    "batch_size=128",
    "phases.frozen.epochs=2",
    "head.dropout=0.3",
)
HEAD_ALONE = (*SHORT, "phases.unfrozen=null")
BOTH = (*SHORT, "phases.unfrozen.epochs=1")
DIFFERS = ("epoch_seconds", "images_per_second", "peak_memory_mb", "compute.", "milliseconds")


def handed_on(made: Recipe) -> BackboneSummary:
    """What a trial finds in the text that a study hands on."""
    known = find(to_json(prebuild([made]).known), made)
    assert known is not None
    return known


class Remembering(NullTracker):
    """Keeps all metrics but those that differ from run to run."""

    def __init__(self) -> None:
        self.printed: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        of_fold = {key: key.split("/")[-1] for key in metrics}
        same = {key: metrics[key] for key in metrics if not of_fold[key].startswith(DIFFERS)}
        self.printed.append((step, same))

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        self.log_metrics(of_fold(metrics, fold), step)


def ran(made: Recipe, folder: Path, known: BackboneSummary | None) -> list[Any]:
    """The objectives of a trial, all its metrics, and the bytes of what it learned."""
    tracker, paths = Remembering(), TrialPaths(folder)
    values = Trial(made, paths, tracker, lambda *_, **__: None, True, known).run()
    assert len(tracker.printed) > 2
    with np.load(paths.learned) as learned:
        return [values, tracker.printed, *(learned[name].tobytes() for name in learned.files)]


def forget_features() -> None:
    for entry in entries_dir().glob("features-*"):
        shutil.rmtree(entry)


def never(*_: Any) -> None:
    raise AssertionError("nothing needs the backbone")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many backbones have been built since the last call."""
    from sweeper.train import building

    build, count = building.build_backbone, 0

    def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return build(*arguments)

    def since() -> int:
        nonlocal count
        now, count = count, 0
        return now

    monkeypatch.setattr(building, "build_backbone", counted)
    return since


@pytest.mark.more
def test_where_all_is_known_and_kept_a_trial_builds_no_backbone_and_says_the_same(
    tmp_path: Path, built: Callable[[], int]
) -> None:
    made = recipe(*HEAD_ALONE, "objectives=[val_loss,parameters,trainable_parameters,flops]")
    known = handed_on(made)
    assert built() == 1
    plain = ran(made, tmp_path / "plain", None)
    assert built() == 1
    assert ran(made, tmp_path / "known", known) == plain
    assert built() == 0
    forget_features()
    assert ran(made, tmp_path / "evicted", known) == plain
    assert built() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "backbones"),
    [
        pytest.param(
            (*BOTH, "freeze.unfreeze_blocks=3", "drop_connect_rate=0.4"), 1, marks=pytest.mark.more
        ),
        pytest.param((*BOTH, "freeze.unfreeze_blocks=0"), 0, marks=pytest.mark.more),
        pytest.param(
            (*HEAD_ALONE, "backbone.weights=null", "head.pooling=max", "augment=digits"),
            0,
            marks=pytest.mark.more,
        ),
        pytest.param(
            (*HEAD_ALONE, "validation=kfold", "validation.folds=2", "head.hidden=8"),
            0,
            marks=pytest.mark.more,
        ),
        pytest.param((*HEAD_ALONE, "cache.budget_gb=0"), 1, marks=pytest.mark.more),
    ],
)
def test_what_is_known_changes_no_number(
    changes: tuple[str, ...], backbones: int, tmp_path: Path, built: Callable[[], int]
) -> None:
    made = recipe(*changes)
    known = handed_on(made)
    plain = ran(made, tmp_path / "plain", None)
    built()
    assert ran(made, tmp_path / "known", known) == plain
    assert built() == backbones


@pytest.mark.slow
@pytest.mark.more
def test_whoever_asks_for_the_time_of_a_prediction_has_the_backbone_built(
    tmp_path: Path, built: Callable[[], int]
) -> None:
    made = recipe(*HEAD_ALONE, "objectives=[milliseconds_per_image]")
    known = handed_on(made)
    built()
    assert ran(made, tmp_path, known)[0][0] > 0
    assert built() == 1


RANDOM = ("backbone.weights=null", "image_size=32", "drop_connect_rate=0.2", "head.hidden=4")


@pytest.mark.more
def test_all_parts_begin_with_the_seeds_numbers_whenever_they_are_built() -> None:
    made = recipe(*RANDOM, "seed=3")
    known = handed_on(made)
    numerics.set_up(made)
    first = build_classifier_for(made, 10)
    after = random.getstate(), np.random.get_state()[1].tolist()
    later = build_classifier_for(made, 10, known)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == after
    random.random()
    np.random.random()
    for one, other in (
        (first.head, later.head),
        (first.backbone, later.backbone),
        (first.head, build_classifier_for(made, 10).head),
    ):
        for weight, same in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(weight, same)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == after
    another = build_classifier_for(made.model_copy(update={"seed": 4}), 10)
    for one, other in ((another.head, first.head), (another.backbone, first.backbone)):
        kernels = [(w, v) for w, v in zip(one.weights, other.weights, strict=True) if w.ndim > 1]
        assert kernels
        assert not any(np.array_equal(weight, value) for weight, value in kernels)


@pytest.mark.parametrize(
    "changes",
    [("head.hidden=8", "head.batch_norm=true"), pytest.param((), marks=pytest.mark.more)],
)
@pytest.mark.more
def test_the_size_that_is_known_is_that_of_the_whole_model(
    changes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(*HEAD_ALONE, *changes)
    known = handed_on(made)
    whole = build_classifier_for(made, 10)
    blocks = freeze_config(unfreeze_blocks=2)
    expected = {}
    for freeze in (None, blocks):
        whole.split_model(freeze).thaw()
        expected[freeze] = size_of(whole.inference_model())
        assert whole.size(freeze) == expected[freeze]
    later = build_classifier_for(made, 10, known)
    with monkeypatch.context() as patched:
        patched.setattr("sweeper.train.building.build_backbone", never)
        later.split(None)
        assert later.size(None) == expected[None]
    later.split_model(blocks).thaw()
    assert later.size(blocks) == expected[blocks]


def test_what_is_known_of_another_backbone_is_not_believed(tmp_path: Path) -> None:
    weights, tiny = tmp_path / "some.weights.h5", tiny_backbone()
    weights.write_bytes(b"0123")

    def text(made: Recipe) -> str:
        return to_json([known_of(made, tiny, Prefix(lambda: tiny))])

    printed = text(recipe(*HEAD_ALONE))
    assert find("[]", recipe(*HEAD_ALONE)) is None
    for change in ("optimizer=sgd", "head.hidden=9", "batch_size=7", "augment=digits"):
        assert find(printed, recipe(*HEAD_ALONE, change)) is not None
    for change in (
        "backbone=mobilenet_v2",
        "backbone.weights=null",
        f"backbone.weights={weights}",
        "image_size=64",
        "drop_connect_rate=0.3",
        "precision=mixed_bfloat16",
        "seed=1",
        "head.pooling=max",
        "head.pooling=flatten",
    ):
        assert find(printed, recipe(*HEAD_ALONE, change)) is None, change
    own = recipe(*HEAD_ALONE, f"backbone.weights={weights}")
    printed = text(own)
    assert find(printed, own) is not None
    weights.write_bytes(b"01234")
    assert find(printed, own) is None
