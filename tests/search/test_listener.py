from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import TrialState
from search.studies import memory

from sweeper.execute.inline import InlineExecutor
from sweeper.records import Attribute, Constraint, Decision, EpochReport, TrialSpec
from sweeper.search.hooks import StudyHooks
from sweeper.search.session import Session
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import StopSignal
from sweeper.search.study import Study, open_study
from sweeper.search.trials.listener import TrialListener

SPEC = TrialSpec(7, {}, (), Path("7"))


class Screen:
    """Progress that keeps the epochs."""

    def __init__(self) -> None:
        self.epochs: list[tuple[int, TrialSpec, EpochReport]] = []

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        self.epochs.append((slot, spec, report))


class Always(BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return True


class Ends:
    """A listener, and what it speaks with."""

    def __init__(
        self, pruner: BasePruner, directions: Sequence[str] = ("maximize",), earlier: int = 0
    ) -> None:
        sampler = optuna.samplers.RandomSampler(seed=1)
        self.study: Study = open_study("one", memory(), tuple(directions), sampler, pruner)
        for number in range(earlier):
            trial = self.study.ask()
            for step in range(3):
                trial.report(number + step, step)
            self.study.tell(trial, 1.0)
        self.trial = self.study.ask()
        self.screen = Screen()
        self.stop_signal = StopSignal()
        session = Session(
            self.study,
            memory(),
            StudyStatus(self.study, Path("sweep")),
            InlineExecutor(),
            StudyHooks(),
            self.screen,  # type: ignore[arg-type]
            self.stop_signal,
        )
        self.listener = TrialListener(session, self.trial, SPEC, 2)

    @property
    def reported(self) -> dict[int, float]:
        return self.study.trials[-1].intermediate_values


def test_a_report_is_kept_shown_and_allowed_to_continue() -> None:
    ends = Ends(MedianPruner())
    report = EpochReport(3, 0.25, "frozen", {"loss": 1.0})
    assert ends.listener.report(report) == Decision()
    assert ends.reported == {3: 0.25}
    assert ends.screen.epochs == [(2, SPEC, report)]


def test_the_reason_compares_with_others_at_the_same_step() -> None:
    ends = Ends(MedianPruner(n_startup_trials=2), earlier=3)
    assert ends.listener.report(EpochReport(1, 0.12345)) == Decision(
        stop=True, reason="median pruner: 0.1235 at step 1, median 2"
    )


def test_the_reason_of_a_first_trial_has_nobody_to_compare_with() -> None:
    decision = Ends(Always()).listener.report(EpochReport(4, 0.5))
    assert decision.reason == "always pruner: 0.5 at step 4"


def test_without_a_pruner_reports_are_kept_and_nothing_stops() -> None:
    ends = Ends(NopPruner(), earlier=9)
    for step in range(3):
        assert not ends.listener.report(EpochReport(step, -100.0)).stop
    assert len(ends.reported) == 3


def test_only_the_first_report_of_a_step_counts() -> None:
    ends = Ends(MedianPruner(n_startup_trials=1), earlier=3)
    assert not ends.listener.report(EpochReport(1, 9.0)).stop
    assert not ends.listener.report(EpochReport(1, -9.0)).stop
    assert ends.reported == {1: 9.0}
    assert len(ends.screen.epochs) == 2


def test_with_several_objectives_reports_are_shown_only() -> None:
    ends = Ends(Always(), ["maximize", "minimize"])
    assert not ends.listener.report(EpochReport(0, 0.5)).stop
    assert ends.reported == {}
    assert len(ends.screen.epochs) == 1


def test_an_interrupted_sweep_stops_the_trial_and_says_so() -> None:
    ends = Ends(Always())
    ends.stop_signal.interrupted = True
    decision = ends.listener.report(EpochReport(0, 0.5))
    assert decision == Decision(stop=True, reason="the sweep was interrupted")
    assert ends.listener.interrupted


def test_a_pruned_trial_was_not_interrupted() -> None:
    ends = Ends(Always())
    assert ends.listener.report(EpochReport(0, 0.5)).stop
    assert not ends.listener.interrupted


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.COMPLETE])
def test_a_trial_that_another_controller_closed_stops(state: TrialState) -> None:
    ends = Ends(NopPruner())
    value = 1.0 if state is TrialState.COMPLETE else None
    ends.study.tell(ends.trial.number, value, state=state)
    decision = ends.listener.report(EpochReport(0, 0.5))
    assert decision.stop
    assert "another controller took this trial for dead" in decision.reason
    assert ends.listener.interrupted


def test_notes_are_kept_with_the_trial() -> None:
    ends = Ends(NopPruner())
    for value in ("text", 1, 1.5, True, None):
        ends.listener.note(Attribute("key", value))
        assert ends.study.trials[-1].user_attrs == {"key": value}
    ends.listener.note(Constraint("size", 2.5))
    ends.study.tell(ends.trial, 1.0)
    assert ends.study.trials[-1].constraints == {"size": 2.5}


def test_a_report_that_compares_with_nothing_is_shown_and_never_prunes() -> None:
    ends = Ends(Always())
    report = EpochReport(0, 0.25, compared=False)
    assert not ends.listener.report(report).stop
    assert ends.reported == {}
    assert [shown for _, _, shown in ends.screen.epochs] == [report]
    assert ends.listener.report(EpochReport(0, 0.5)).stop
    ends.stop_signal.interrupt()
    assert ends.listener.report(report).stop
