"""Both phases on digits of 8x8 with a network of three blocks: fast, and bit for bit the same."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from models.networks import tiny_backbone
from numpy.typing import NDArray
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.batches import batches
from sweeper.data.sources.loading import load
from sweeper.data.splits import split_validation
from sweeper.data.targets import Targets
from sweeper.models.build import attach_head
from sweeper.paths import entries_dir
from sweeper.report.reader import EpochRecord
from sweeper.train.fit.checkpoint import Checkpoint
from sweeper.train.fit.fine_tune import FineTune
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.phase_state import Epoch, PhaseState
from sweeper.train.fit.phases import PhaseRun
from sweeper.train.fit.stages import planned, stage_keys
from sweeper.train.refit import followed
from sweeper.train.runtime import numerics

SHORT = (
    "phases.frozen.epochs=2",
    "phases.unfrozen.epochs=3",
    "phases.unfrozen.learning_rate=1e-2",
    "freeze.unfreeze_blocks=2",
    "augment=digits",
    "batch_size=32",
    "head.dropout=0.3",
)
TIMES = {"epoch_seconds", "images_per_second"}


class Interrupted(Exception):
    pass


@pytest.fixture(autouse=True)
def number_format() -> Iterator[None]:
    """The one that other tests expect, after those that set their own."""
    yield
    numerics.set_up(recipe())


@dataclass
class Run:
    """One process' worth of a fine-tune; ``stop`` is the step after which it is interrupted."""

    made: Recipe
    folder: Path
    stop: int | None = None
    epochs: list[Epoch] = field(default_factory=list)
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        numerics.set_up(self.made)
        source = load(self.made.dataset)
        train, held_out = split_validation(source.train, 0.2, 0)
        made = self.made
        targets = Targets.to_train(made.head, made.loss, source.class_names, train.labels)
        self.held_out = held_out.select(np.arange(100))
        self.classifier = attach_head(tiny_backbone(), self.made.head, 10)
        self.checkpoint = Checkpoint(self.folder / "trial.npz", stage_keys(self.made))
        small = self.made.model_copy(update={"image_size": 8})
        feed = Feed.open(
            small,
            self.classifier,
            train.select(np.arange(150)),
            self.held_out,
            targets,
            Cache(entries_dir(), 10**9),
            self.held,
        )
        self.fine_tune = FineTune(self.made, self.classifier, feed, self.checkpoint)

    def go(self) -> "Run":
        with self.held:
            try:
                outcome = self.fine_tune.run(self._untrained, self._on_epoch)
            except Interrupted:
                assert self.stop is not None
            else:
                self.kept, self.probabilities = outcome.kept, outcome.probabilities
        return self

    def _untrained(self, loss: float, accuracy: float) -> None:
        self.untrained = loss, accuracy

    def _on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if epoch.step == self.stop:
            raise Interrupted

    @property
    def cached(self) -> list[bool]:
        """Whether each phase is fed what was kept."""
        feed = self.fine_tune.feed
        return [feed.seconds_of_epoch(phase.name) > 0 for phase in planned(self.made)]

    @property
    def curves(self) -> list[tuple[int, str, dict[str, float]]]:
        return [
            (e.step, e.phase, {k: v for k, v in e.metrics.items() if k not in TIMES})
            for e in self.epochs
        ]

    @property
    def predicted(self) -> NDArray[np.float32]:
        """``[100, 10]`` by the model that is saved, of the validation images."""
        plain = Targets(10, False)
        images = batches(self.held_out, 8, 50, target=plain, shuffle_seed=None)
        found: NDArray[np.float32] = self.classifier.inference_model().predict(
            images.dataset, verbose=0
        )
        return found

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        return [np.asarray(w) for w in self.classifier.inference_model().weights]


def equal(one: Sequence[NDArray[np.float32]], other: Sequence[NDArray[np.float32]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


KINDS = {
    "adam": (),
    "augmented anew": ("cache.views=0",),
    "cosine, several things": (
        "schedule=cosine",
        "optimizer=adamw",
        "loss.label_smoothing=0.1",
        "augment.mixup=0.2",
        "optimizer.layer_decay=0.5",
        "loss.class_weight=balanced",
    ),
    "plateau and averages": (
        "schedule=plateau",
        "schedule.patience=1",
        "schedule.min_delta=10",
        "optimizer=sgd",
        "+optimizer.use_ema=true",
        "+optimizer.ema_momentum=0.9",
    ),
    "early": ("early_stopping.patience=1", "early_stopping.min_delta=0.9"),
    "half precision": ("precision=mixed_bfloat16", "head.pooling=max"),
    "accumulated": ("+optimizer.gradient_accumulation_steps=2", "freeze.batch_norm=trained"),
}


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_one_continues_to_the_same_result(kind: str, tmp_path: Path) -> None:
    made = recipe(*SHORT, *KINDS[kind])
    whole = Run(made, tmp_path / "whole").go()
    assert whole.cached == ([False, False] if made.cache.views == 0 else [True, True])
    # at the end of the frozen phase, and within the unfrozen one
    for stop in (1, 3):
        folder = tmp_path / str(stop)
        first = Run(made, folder, stop).go()
        assert first.curves == whole.curves[: stop + 1]
        again = Run(made, folder).go()
        assert again.curves == whole.curves
        assert equal(again.weights, whole.weights)
        assert again.kept.step == whole.kept.step
        assert np.array_equal(again.probabilities, whole.probabilities)


ALIKE = {
    "plain": ("head.batch_norm=false",),
    "stochastic depth": ("head.batch_norm=true",),
    "weighted, smoothed": ("loss.class_weight=balanced", "loss.label_smoothing=0.1"),
    "whole activation": ("head.pooling=flatten", "head.hidden=8", "freeze.unfreeze_blocks=1"),
    "accumulated": ("+optimizer.gradient_accumulation_steps=2",),
    "head alone, twice": ("freeze.unfreeze_blocks=0",),
}
"""Recipes whose losses are the same, whether or not what frozen layers give is kept."""
MORE_ALIKE = tuple(kind for kind in ALIKE if kind != "stochastic depth")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.more) if kind in MORE_ALIKE else kind for kind in ALIKE],
)
def test_losses_are_the_same_with_the_cache_and_without(kind: str, tmp_path: Path) -> None:
    steady = ("augment=none", "phases.unfrozen.epochs=2", "optimizer=sgd")
    made = (*SHORT, *steady, *ALIKE[kind])
    kept = Run(recipe(*made, "cache.views=1"), tmp_path / "kept").go()
    anew = Run(recipe(*made, "cache.views=0"), tmp_path / "anew").go()
    assert (kept.cached, anew.cached) == ([True, True], [False, False])
    for one, other in zip(kept.epochs, anew.epochs, strict=True):
        for name in ("loss", "val_loss"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=1e-3)
    np.testing.assert_allclose(kept.probabilities, anew.probabilities, atol=2e-3)
    np.testing.assert_allclose(kept.predicted, kept.probabilities, atol=2e-3)


@pytest.mark.more
def test_in_bfloat16_too_they_are(tmp_path: Path) -> None:
    made = (*SHORT, "augment=none", "precision=mixed_bfloat16", "optimizer=sgd")
    kept = Run(recipe(*made), tmp_path / "kept").go()
    anew = Run(recipe(*made, "cache.views=0"), tmp_path / "anew").go()
    assert kept.cached == [True, True]
    for one, other in zip(kept.epochs, anew.epochs, strict=True):
        assert one.metrics["loss"] == pytest.approx(other.metrics["loss"], rel=2e-2)


@pytest.mark.more
def test_a_stage_that_two_fine_tunes_share_is_trained_once(tmp_path: Path) -> None:
    other = recipe(*SHORT, "phases.unfrozen.learning_rate=1e-3", "freeze.unfreeze_blocks=1")
    first = Run(recipe(*SHORT), tmp_path / "first", stop=1).go()
    forked = first.checkpoint.path.read_bytes()
    whole = Run(other, tmp_path / "whole").go()
    (tmp_path / "forked").mkdir()
    (tmp_path / "forked" / "trial.npz").write_bytes(forked)
    from_there = Run(other, tmp_path / "forked").go()
    assert from_there.untrained == whole.untrained
    assert from_there.curves == whole.curves
    assert equal(from_there.weights, whole.weights)
    assert Run(recipe(*SHORT), tmp_path / "first").go().curves != whole.curves


def test_a_phase_can_be_stopped_and_forked(tmp_path: Path) -> None:
    """One phase that stops, then ends; and another one that continues from where it stopped."""

    def phase() -> PhaseRun:
        run = Run(recipe(*SHORT), tmp_path / "unused")
        held.enter_context(run.held)
        (frozen, _) = planned(run.made)
        return run.fine_tune.start(frozen, 0)

    def stop(_: Epoch) -> None:
        raise Interrupted

    states: list[PhaseState] = []
    with contextlib.ExitStack() as held:
        stopped, forked, whole = phase(), phase(), phase()
        with pytest.raises(Interrupted):
            stopped.run(stop, states.append)
        forked.restore(stopped.state())
        ends = [one.run(lambda _: None, lambda _: None) for one in (stopped, forked, whole)]
        assert [len(one.epochs) for one in (stopped, forked, whole)] == [2, 2, 2]
        assert len({end.step for end in ends}) == 1
        for one in (stopped, forked):
            assert np.array_equal(one.logits(), whole.logits())
            assert equal(one.learned, whole.learned)
    assert [len(state.epochs) for state in states] == [1]


@pytest.mark.more
def test_it_may_be_interrupted_again_and_again(tmp_path: Path) -> None:
    made = recipe(*SHORT)
    whole = Run(made, tmp_path / "whole").go()
    for stop in range(5):
        parts = Run(made, tmp_path / "many", stop).go()
        assert parts.curves == whole.curves[: stop + 1]
    again = Run(made, tmp_path / "many").go()
    assert again.curves == whole.curves
    assert equal(again.weights, whole.weights)
    assert np.array_equal(again.probabilities, whole.probabilities)


def test_the_same_seed_gives_the_same_curves_and_another_seed_others(tmp_path: Path) -> None:
    one, two, other = (
        Run(recipe(*SHORT, f"seed={seed}"), tmp_path / str(index)).go()
        for index, seed in enumerate((3, 3, 4))
    )
    assert one.curves == two.curves
    assert one.curves != other.curves


def test_the_best_epoch_of_each_phase_is_restored(tmp_path: Path) -> None:
    made = recipe(*SHORT, "phases.unfrozen.learning_rate=0.5", "phases.unfrozen.epochs=4")
    run = Run(made, tmp_path).go()
    of_phase = [e for e in run.epochs if e.phase == "unfrozen"]
    best = max(e.metrics["val_accuracy"] for e in of_phase)
    assert run.kept.metrics["val_accuracy"] == best
    assert (run.predicted.argmax(axis=1) == run.held_out.labels).mean() == pytest.approx(best)
    np.testing.assert_allclose(run.probabilities, run.predicted, atol=2e-3)


@pytest.mark.more
def test_the_last_epoch_is_kept_where_the_recipe_says_so(tmp_path: Path) -> None:
    changes = ("early_stopping.restore_best=false", "phases.unfrozen.learning_rate=0.5")
    run = Run(recipe(*SHORT, *changes), tmp_path).go()
    assert run.kept == run.epochs[-1]


def test_early_stopping_ends_each_phase_and_steps_continue(tmp_path: Path) -> None:
    changes = ("early_stopping.patience=1", "early_stopping.min_delta=0.99")
    run = Run(recipe(*SHORT, *changes, "phases.frozen.epochs=9"), tmp_path).go()
    assert [(e.step, e.phase) for e in run.epochs] == [
        (0, "frozen"),
        (1, "frozen"),
        (2, "unfrozen"),
        (3, "unfrozen"),
    ]


def test_averaged_weights_are_judged_and_kept_and_training_does_not_see_them(
    tmp_path: Path,
) -> None:
    common = (*SHORT, "early_stopping.restore_best=false", "phases.unfrozen=null")
    plain = Run(recipe(*common), tmp_path / "plain").go()
    made = recipe(*common, "+optimizer.use_ema=true", "+optimizer.ema_momentum=0.8")
    averaged = Run(made, tmp_path / "averaged").go()
    for one, other in zip(plain.epochs, averaged.epochs, strict=True):
        assert one.metrics["loss"] == other.metrics["loss"]  # trained alike, to the last bit
        assert one.metrics["val_loss"] != other.metrics["val_loss"]
    assert not equal(plain.weights, averaged.weights)
    np.testing.assert_allclose(averaged.probabilities, averaged.predicted, atol=2e-3)
    of_truth = averaged.predicted[np.arange(100), averaged.held_out.labels]
    assert -np.log(of_truth).mean() == pytest.approx(
        averaged.epochs[-1].metrics["val_loss"], rel=1e-4
    )


def test_plateau_lowers_the_rate_within_its_phase_only(tmp_path: Path) -> None:
    made = recipe(*SHORT, *KINDS["plateau and averages"], "phases.frozen.epochs=3")
    run = Run(made, tmp_path).go()
    rates = [epoch.metrics["learning_rate"] for epoch in run.epochs]
    factor = made.schedule.factor
    assert rates == pytest.approx([3e-2, 3e-2, 3e-2 * factor, 1e-2, 1e-2, 1e-2 * factor])


@pytest.mark.more
def test_no_checkpoint_is_kept_where_the_recipe_says_so(tmp_path: Path) -> None:
    run = Run(recipe(*SHORT, "checkpoint_epochs=null"), tmp_path, stop=1).go()
    assert not run.checkpoint.path.exists()
    run = Run(recipe(*SHORT, "checkpoint_epochs=2"), tmp_path, stop=0).go()
    assert not run.checkpoint.path.exists()


def test_validation_loss_is_plain_whatever_training_does(tmp_path: Path) -> None:
    run = Run(recipe(*SHORT, "loss.label_smoothing=0.5"), tmp_path).go()
    of_truth = run.predicted[np.arange(100), run.held_out.labels]
    assert run.kept.metrics["val_loss"] == pytest.approx(-np.log(of_truth).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "words",
    [
        ("early_stopping.patience=1", "phases.frozen.epochs=4", "phases.unfrozen=null"),
        pytest.param(
            (
                "schedule=plateau",
                "schedule.patience=1",
                "phases.frozen.epochs=4",
                "phases.unfrozen=null",
            ),
            marks=pytest.mark.more,
        ),
        pytest.param(
            ("early_stopping.restore_best=false", "schedule=cosine"), marks=pytest.mark.more
        ),
    ],
    ids=["early stopping", "plateau", "last epoch"],
)
def test_one_that_follows_recorded_epochs_decides_as_they_did(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """On the same images it ends with the same weights, without the epochs after the best."""
    made = recipe(*SHORT, *words)
    first = Run(made, tmp_path / "first").go()
    curves = [EpochRecord(e.step, e.phase, None, 0.0, e.metrics) for e in first.epochs]
    wanted = followed(made, curves)
    second = Run(made, tmp_path / "second")
    second.fine_tune = replace(second.fine_tune, followed=wanted)
    second.go()
    assert len(second.epochs) == sum(map(len, wanted.values())) <= len(first.epochs)
    np.testing.assert_array_equal(second.probabilities, first.probabilities)
    for phase, metrics in wanted.items():
        mine = [epoch for epoch in second.epochs if epoch.phase == phase]
        assert [epoch.metrics["learning_rate"] for epoch in mine] == [
            one["learning_rate"] for one in metrics
        ]
