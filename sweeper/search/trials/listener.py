"""The controller's end of one trial's channel: reports become Optuna's, decisions go back."""

import statistics

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from sweeper.display.trial_text import point
from sweeper.errors import StudyLost
from sweeper.records import (
    Advance,
    Attribute,
    Constraint,
    Decision,
    EpochReport,
    Note,
    TrialSpec,
)
from sweeper.search.session import Session


class StopListener:
    """A :class:`~sweeper.execute.executor.Channel` that shows work, and ends it with the sweep.

    Used by the thread of the work's slot.
    """

    def __init__(self, session: Session, spec: TrialSpec, slot: int) -> None:
        self._session = session
        self._spec = spec
        self._slot = slot
        self.interrupted = False
        """Whether the work was stopped because the sweep stops."""

    def report(self, report: EpochReport) -> Decision:
        """Show ``report``; stop where the sweep was interrupted or has lost its files."""
        self._session.progress.epoch(self._slot, self._spec, report)
        if self._session.stop_signal.interrupted:
            return self._interruption("the sweep was interrupted")
        try:
            self._session.stop_signal.check_kept()
        except StudyLost as error:
            self._session.stop_signal.fail(error)
            return self._interruption(error.reason)
        return Decision()

    def note(self, note: Note) -> None:
        """Show how far the work is; keep nothing: it is no trial of the study."""
        if isinstance(note, Advance):
            self._session.progress.advance(self._slot, self._spec, note)

    def _interruption(self, reason: str) -> Decision:
        self.interrupted = True
        return Decision(stop=True, reason=reason)


class TrialListener(StopListener):
    """The channel of a trial: Optuna keeps its reports, and may prune it."""

    def __init__(self, session: Session, trial: optuna.Trial, spec: TrialSpec, slot: int) -> None:
        super().__init__(session, spec, slot)
        self._trial = trial
        # with several objectives Optuna neither takes reports nor prunes
        self._takes_reports = len(session.study.directions) == 1
        self._prunes = not isinstance(session.study.pruner, NopPruner)
        self._steps: set[int] = set()

    def report(self, report: EpochReport) -> Decision:
        """Record ``report``; stop where the sweep was interrupted or the pruner says so."""
        decision = super().report(report)
        if decision.stop:
            return decision
        # Optuna keeps the first report of a step, and warns about others
        if not (self._takes_reports and report.compared) or report.step in self._steps:
            return Decision()
        self._steps.add(report.step)
        try:
            self._trial.report(report.value, report.step)
        except UpdateFinishedTrialError:
            return self._interruption("another controller took this trial for dead")
        if self._prunes and self._trial.should_prune():
            return Decision(stop=True, reason=self._reason(report))
        return Decision()

    def _reason(self, report: EpochReport) -> str:
        pruner = type(self._session.study.pruner).__name__.removesuffix("Pruner").lower()
        others = [
            trial.intermediate_values[report.step]
            for trial in self._session.study.get_trials(
                deepcopy=False, states=(TrialState.COMPLETE,)
            )
            if report.step in trial.intermediate_values
        ]
        median = f", median {statistics.median(others):.4g}" if others else ""
        return f"{pruner} pruner: {report.value:.4g} at {point(report)}{median}"

    def note(self, note: Note) -> None:
        """Keep ``note`` with the trial; how far its work is, is shown."""
        if isinstance(note, Attribute):
            self._trial.set_user_attr(note.key, note.value)
        elif isinstance(note, Constraint):
            self._trial.set_constraint(note.key, note.value)
        else:
            super().note(note)
