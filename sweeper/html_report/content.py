"""All that a report is made of, read once from the folder of a study."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweeper.config import HIGHER_IS_BETTER, Recipe
from sweeper.errors import SweeperError
from sweeper.records import PREBUILT, StudySummary, TrialRow
from sweeper.report.reader import EpochRecord, StudyReader, TrialRecord, read_curves, read_recipe
from sweeper.report.trial_standings import standings_of
from sweeper.statistics.standings import Standing
from sweeper.study_files import predictions
from sweeper.study_files.confirmed import Confirmed
from sweeper.study_files.gain import Gain
from sweeper.study_files.predictions import Predictions
from sweeper.study_files.result import AboutStudy, Result, Status
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, last_metric


@dataclass(frozen=True, eq=False)
class StudyContent:
    """A study as its files are at one moment.

    Attributes:
        about: what it is.
        paths: its files.
        summary: the trials that have ended.
        trials: all, by number, also those that run and that were interrupted.
        standings: of the complete trials beside the best one.
        prebuilt: seconds that went into what all trials share.
        made: when that was, in seconds since 1970.
        confirmed: what became of trials that were run again; None where none were.
        gain: what more trials could gain; None until the search has ended.
    """

    about: AboutStudy
    paths: StudyPaths
    summary: StudySummary
    trials: Sequence[TrialRecord]
    standings: Mapping[int, Standing]
    prebuilt: float
    made: float
    confirmed: Confirmed | None
    gain: Gain | None

    @property
    def objective(self) -> str:
        """Name of the first objective."""
        return self.summary.value_names[0]

    @property
    def single(self) -> bool:
        """Whether there is one objective, so that one trial is the best."""
        return len(self.summary.maximize) == 1

    @property
    def best(self) -> TrialRow | None:
        """The best complete trial in the first objective."""
        return self.summary.best

    @cached_property
    def complete(self) -> list[TrialRow]:
        """Trials that have values."""
        return [row for row in self.summary.rows if row.values]

    @cached_property
    def running(self) -> list[TrialRecord]:
        """Trials without an end: they run, or their controller was killed."""
        return [trial for trial in self.trials if trial.status is Status.RUNNING]

    @cached_property
    def started(self) -> float:
        """When the first trial began, in seconds since 1970."""
        return min((trial.about.started for trial in self.trials), default=self.made)

    @cached_property
    def results(self) -> Mapping[int, Result]:
        """Of the trials that have ended, by number."""
        return {trial.about.number: trial.result for trial in self.trials if trial.result}

    @cached_property
    def curves(self) -> Mapping[int, Sequence[EpochRecord]]:
        """Epochs of each trial that has some, by number."""
        read = {t.about.number: read_curves(TrialPaths(t.folder)) for t in self.trials}
        return {number: epochs for number, epochs in read.items() if epochs}

    @cached_property
    def predictions(self) -> Predictions | None:
        """What the best trial predicts for its validation images."""
        return None if self.best is None else predictions.load(self.of_best.predictions)

    @cached_property
    def recipe(self) -> Recipe | None:
        """Of the best trial, else of the first one that has one."""
        rows = [self.best] if self.best is not None else self.trials
        for row in rows:
            with contextlib.suppress(SweeperError):
                return read_recipe(TrialPaths(row.folder))
        return None

    @property
    def of_best(self) -> TrialPaths:
        """Files of the best trial, which there must be."""
        assert self.best is not None
        return TrialPaths(self.best.folder)


def gather(folder: Path) -> StudyContent:
    """Read the study in ``folder``.

    Raises:
        SweeperError: there is no study in that folder.
    """
    reader = StudyReader(folder)
    summary = reader.summary()
    prebuilt = last_metric(Journal(reader.paths.mlflow).entries(), PREBUILT)
    return StudyContent(
        reader.about,
        reader.paths,
        summary,
        reader.trials(),
        standings_of(summary),
        prebuilt or 0.0,
        time.time(),
        reader.confirmed(),
        reader.gain(),
    )


def better(name: str) -> str:
    """``higher is better`` or the reverse, of an objective or a metric; empty where unknown."""
    known = HIGHER_IS_BETTER.get(name)
    return "" if known is None else f"{'higher' if known else 'lower'} is better"
