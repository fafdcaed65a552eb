"""Any study, running or finished, from its folder alone: read-only, without a lock.

Neither Optuna's database nor MLflow is opened: each trial's folder says what the trial is and how
it ended. Files are renamed into place or read up to their last whole line, so that a study may be
read while its trials write, and after they were killed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from sweeper.config import Recipe
from sweeper.errors import SweeperError
from sweeper.ranking import best_of, joined, with_winner
from sweeper.records import State, StudySummary, TrialRow
from sweeper.report.damage import check_json, check_lines, damaged, whole
from sweeper.study_files import predictions
from sweeper.study_files.confirmed import Confirmed, read_confirmed
from sweeper.study_files.gain import Gain, read_gain
from sweeper.study_files.lines import read
from sweeper.study_files.predictions import Predictions
from sweeper.study_files.result import (
    AboutStudy,
    AboutTrial,
    Result,
    Status,
    read_about_study,
    read_about_trial,
    read_result,
)
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: ``step`` counts on across phases, ``time`` is in seconds since 1970.

    ``fold`` is None for a trial without folds.
    """

    step: int
    phase: str
    fold: int | None
    time: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrialRecord:
    """A trial as its folder has it; ``result`` is None until it has ended."""

    folder: Path
    about: AboutTrial
    result: Result | None

    @property
    def status(self) -> Status:
        """How it stands; running is also what a killed controller leaves, until it is resumed."""
        return self.result.state if self.result else Status.RUNNING


class StudyReader:
    """The study in ``folder``, as its files are at each call.

    Raises:
        SweeperError: there is no study in that folder, or a file of it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = StudyPaths(folder)
        about = whole(read_about_study, self._paths.about)
        if about is None:
            raise SweeperError(
                f"{folder} holds no study ({self._paths.about.name} is not there); name the folder "
                "of one, experiments/<study>"
            )
        self.about: AboutStudy = about
        """Its name, id and objectives."""

    @property
    def paths(self) -> StudyPaths:
        """Its files."""
        return self._paths

    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials, by number, also those that were interrupted."""
        found = {}
        for folder in self._paths.trials:
            paths = TrialPaths(folder)
            about = whole(read_about_trial, paths.about)
            if about is not None and about.study == self.about.study:
                found[about.number] = TrialRecord(folder, about, whole(read_result, paths.result))
        return tuple(found[number] for number in sorted(found))

    def summary(self) -> StudySummary:
        """The trials that have ended, and which are best, as the sweep shows them.

        Where trials were run again with other seeds, the best mean of these is the best.
        """
        rows = [row for trial in self.trials() if (row := self._row(trial)) is not None]
        front: list[TrialRow] = []
        for row in rows:
            front = joined(front, row, self.about.maximize)
        summary = StudySummary(
            self.about.name,
            self._paths.folder,
            self.about.maximize,
            tuple(rows),
            best_of(front, self.about.maximize),
            tuple(sorted(front, key=lambda row: row.number)),
            self.about.objectives,
        )
        confirmed = self.confirmed()
        winner = confirmed.winner if confirmed is not None else None
        return with_winner(summary, winner.number if winner is not None else None)

    def confirmed(self) -> Confirmed | None:
        """What became of the best trials when they were run again, None where they were not."""
        found = read_confirmed(self._paths.confirmed, self.about.study)
        if found is None:
            check_json(self._paths.confirmed)
        return found

    def gain(self) -> Gain | None:
        """What more trials could gain, None until a search has ended."""
        return read_gain(self._paths.gain)

    def curves(self, number: int) -> tuple[EpochRecord, ...]:
        """All epochs of a trial, in the order in which they ended; of a fold each step once."""
        return read_curves(TrialPaths(self._folder(number)))

    def recipe(self, number: int) -> Recipe:
        """The resolved recipe of a trial.

        Raises:
            SweeperError: there is no such trial, or it was not composed.
        """
        return read_recipe(TrialPaths(self._folder(number)))

    def predictions(self, number: int) -> Predictions | None:
        """What a trial predicts for its validation images, None unless it is complete."""
        return predictions.load(TrialPaths(self._folder(number)).predictions)

    def _folder(self, number: int) -> Path:
        for trial in self.trials():
            if trial.about.number == number:
                return trial.folder
        raise SweeperError(f"{self._paths.folder} holds no trial {number}")

    def _row(self, trial: TrialRecord) -> TrialRow | None:
        """The row of a trial, None where it runs or was interrupted."""
        ended = trial.result
        if ended is None or ended.state in (Status.RUNNING, Status.INTERRUPTED):
            return None
        values = [ended.objectives.get(name) for name in self.about.objectives]
        return TrialRow(
            trial.about.number,
            State(ended.state),
            tuple(value for value in values if value is not None),
            ended.seconds,
            trial.about.params,
            trial.folder,
            ended.reason,
            ended.feasible,
            ended.counts,
            ended.cause,
        )


def read_curves(trial: TrialPaths) -> tuple[EpochRecord, ...]:
    """All epochs in the folder of a trial; see :meth:`StudyReader.curves`."""
    found: dict[tuple[int | None, int], EpochRecord] = {}
    lines = list(read(trial.metrics))
    check_lines(trial.metrics, lines[-1][1] if lines else 0)
    for line, _ in lines:
        epoch = EpochRecord(**line)
        found[epoch.fold, epoch.step] = epoch
    return tuple(found.values())


def read_recipe(trial: TrialPaths) -> Recipe:
    """The resolved recipe in the folder of a trial.

    Raises:
        SweeperError: there is none, or it cannot be read.
    """
    try:
        plain = yaml.safe_load(trial.config.read_text(encoding="utf-8"))
        return Recipe.model_validate_json(json.dumps(plain))
    except FileNotFoundError:
        raise SweeperError(f"{trial.config} is not there: the trial had no recipe yet") from None
    except (yaml.YAMLError, ValueError, TypeError):
        raise damaged(trial.config) from None
