"""The state of a study: its trials as rows, how many count, which are best."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.ranking import best_of, joined
from sweeper.records import State, StudySummary, TrialRow
from sweeper.search.attributes import CAUSE, FOLDER, OOM, REASON, RETRY_OF, SECONDS, WARM_START
from sweeper.search.study_place import base_of_trials

_STATES = {
    TrialState.COMPLETE: State.COMPLETE,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAILED,
}


class StudyStatus:
    """Reads each trial of a study once, so that looking again costs what is new.

    Args:
        study: the study.
        folder: the folder of this sweep; trials of an earlier one may have another.
        objectives: their names, none where the application has not named them.
    """

    def __init__(self, study: optuna.Study, folder: Path, objectives: tuple[str, ...] = ()) -> None:
        self._study = study
        self._folder = folder
        self._objectives = objectives
        self._base = base_of_trials(study, folder)
        self.maximize = tuple(d is StudyDirection.MAXIMIZE for d in study.directions)
        self._rows: list[TrialRow] = []
        """By number."""
        self._front: list[TrialRow] = []
        self._known = 0
        self._open: set[int] = set()
        self._superseded: set[int] = set()
        self.lost: set[int] = set()
        """Numbers of interrupted trials that no other trial stands for yet."""
        self.counted = 0
        """Finished trials that count towards ``n_trials``."""
        self.failed = 0
        """Those of them that failed."""
        self.running: frozenset[int] = frozenset()
        """Numbers of the trials that run now, here or elsewhere."""
        self.waiting = 0
        """Trials whose parameters are queued."""
        self.since_best = 0
        """Counted trials that ended since the best one did."""

    def refresh(self) -> tuple[FrozenTrial, ...]:
        """Read what has happened since; returns the trials that have finished meanwhile."""
        trials = self._study.get_trials(deepcopy=False)
        self._open.update(range(self._known, len(trials)))
        self._known = len(trials)
        looked = [trials[number] for number in sorted(self._open)]
        for trial in looked:
            again = trial.user_attrs.get(RETRY_OF)
            if again is not None:
                self._supersede(again)
        finished = [trial for trial in looked if trial.state in _STATES]
        self._open.difference_update(trial.number for trial in finished)
        self.lost.update(trial.number for trial in finished if _is_interrupted(trial))
        self.lost -= self._superseded
        self.running = frozenset(t.number for t in looked if t.state is TrialState.RUNNING)
        self.waiting = sum(trial.state is TrialState.WAITING for trial in looked)
        shown = [trial for trial in finished if self._is_shown(trial)]
        for trial in sorted(shown, key=_ended):
            self._add(trial)
        return tuple(finished)

    def _is_shown(self, trial: FrozenTrial) -> bool:
        return not _is_interrupted(trial) and WARM_START not in trial.user_attrs

    def _supersede(self, number: int) -> None:
        if number in self._superseded:
            return
        self._superseded.add(number)
        row = self.row(number)
        if row is not None and row.counts:
            self._rows[self._place(number)] = replace(row, counts=False)
            self.counted -= 1
            self.failed -= row.state is State.FAILED

    def _add(self, trial: FrozenTrial) -> None:
        state = _STATES[trial.state]
        row = TrialRow(
            number=trial.number,
            state=state,
            values=tuple(trial.values) if state is State.COMPLETE else (),
            seconds=_seconds(trial),
            params=trial.params,
            folder=self._base / trial.user_attrs.get(FOLDER, ""),
            reason=trial.user_attrs.get(REASON, ""),
            cause=trial.user_attrs.get(CAUSE, ""),
            feasible=all(value <= 0 for value in trial.constraints.values()),
            counts=trial.number not in self._superseded,
        )
        self._rows.insert(self._place(row.number), row)
        if row.counts:
            self.counted += 1
            self.failed += state is State.FAILED
            self.since_best += 1
        self._front = joined(self._front, row, self.maximize)
        if self._front[-1:] == [row]:
            self.since_best = 0

    @property
    def best(self) -> TrialRow | None:
        """The feasible complete trial that is best in the first objective."""
        return best_of(self._front, self.maximize)

    def row(self, number: int) -> TrialRow | None:
        """The finished trial ``number``, None where it was interrupted."""
        place = self._place(number)
        found = self._rows[place : place + 1]
        return found[0] if found and found[0].number == number else None

    def _place(self, number: int) -> int:
        """Where the row of trial ``number`` is, or would be."""
        return bisect_left(self._rows, number, key=lambda row: row.number)

    def is_tried_again(self, number: int) -> bool:
        """Whether another trial stands for trial ``number``, or will do so."""
        return number in self._superseded or number in self.lost

    def folders_before(self, number: int | None) -> tuple[Path, ...]:
        """Folders of trial ``number`` and of those that it was itself tried again for."""
        found: list[Path] = []
        while number is not None:
            attributes = self._study.get_trials(deepcopy=False)[number].user_attrs
            if FOLDER in attributes:  # else it ended before it had one
                found.append(self._base / attributes[FOLDER])
            number = attributes.get(RETRY_OF)
        return tuple(found)

    def relative(self, folder: Path) -> str:
        """How a trial's ``folder`` is remembered: below the study's, so that it can be moved."""
        inside = folder.is_relative_to(self._base)
        return str(folder.relative_to(self._base) if inside else folder)

    def last(self, state: State) -> TrialRow | None:
        """The counted trial with the highest number that ended in ``state``."""
        found = (row for row in reversed(self._rows) if row.state is state and row.counts)
        return next(found, None)

    def of_reruns(self, rows: Sequence[TrialRow]) -> StudySummary:
        """``rows`` of trials that were run again, as a study of their own, of which none leads."""
        return replace(self.summary(), rows=tuple(rows), best=None, front=())

    def summary(self) -> StudySummary:
        """The study as it was at the last :meth:`refresh`."""
        front = tuple(sorted(self._front, key=lambda row: row.number))
        return StudySummary(
            self._study.study_name,
            self._folder,
            self.maximize,
            tuple(self._rows),
            self.best,
            front,
            self._objectives,
        )


def _is_interrupted(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL and REASON not in trial.user_attrs


def _seconds(trial: FrozenTrial) -> float:
    """How long the trial took; by its dates, between which a clock may be set, if need be."""
    if SECONDS in trial.user_attrs:
        return float(trial.user_attrs[SECONDS])
    return max(0.0, trial.duration.total_seconds()) if trial.duration else 0.0


def _ended(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete


def ran_out_of_memory(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those of ``trials`` that a sampler shall learn from as infeasible."""
    return [t for t in trials if t.state is TrialState.FAIL and t.user_attrs.get(OOM)]
