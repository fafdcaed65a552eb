"""What runs with other seeds say of trials: their means, and which trial is the best by these."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.records import StudySummary, TrialRow
from sweeper.statistics.intervals import Figure, of_mean
from sweeper.study_files.confirmed import ConfirmedTrial, SeedRun
from sweeper.study_files.result import Result, Status
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths

Ended = Mapping[int, Mapping[Path, Result]]
"""How reruns ended, by the number of their trial and by their folder."""


def by_mean(summary: StudySummary, ended: Ended) -> tuple[ConfirmedTrial, ...]:
    """The trials of ``summary`` that were run again, the best mean of the first objective first.

    With one objective the first one is chosen, of those whose weights are kept. What the search
    measured is no part of the means: trials were chosen for it.
    """
    trials = [
        _confirmed(summary, row, ended[row.number])
        for row in summary.rows
        if row.number in ended and row.values and row.feasible
    ]
    trials.sort(key=lambda trial: _order(summary, trial))
    rows = {row.number: row for row in summary.rows}
    for place, trial in enumerate(trials):
        has_weights = TrialPaths(rows[trial.number].folder).learned.exists()
        if len(summary.maximize) == 1 and trial.means and has_weights:
            trials[place] = replace(trial, chosen=True)
            break
    return tuple(trials)


def _confirmed(
    summary: StudySummary, row: TrialRow, results: Mapping[Path, Result]
) -> ConfirmedTrial:
    runs = []
    for folder, result in results.items():
        complete = result.state is Status.COMPLETE
        figures = {name: result.objectives[name] for name in summary.value_names if complete}
        relative = folder.relative_to(summary.folder)
        seed = StudyPaths.seed_of(folder)  # one that failed at once has no recipe
        runs.append(SeedRun(seed, str(relative), figures, "" if complete else result.reason))
    runs.sort(key=lambda run: run.seed)
    known = [run.figures for run in runs if run.figures]
    means = {}
    for name in summary.value_names if known else ():
        values = np.array([figures[name] for figures in known])
        means[name] = _mean(name, values)
    search = dict(zip(summary.value_names, row.values, strict=True))
    return ConfirmedTrial(row.number, search, tuple(runs), means)


def _mean(name: str, values: NDArray[np.float64]) -> Figure:
    """With its interval, as far as there can be such values: no objective is below 0."""
    low, high = of_mean(values)
    if low is not None and high is not None:
        low, high = max(low, 0.0), min(high, 1.0) if name == "val_accuracy" else high
    return Figure(float(values.mean()), low, high)


def _order(summary: StudySummary, trial: ConfirmedTrial) -> tuple[bool, float, float, int]:
    """The best mean first; of equal ones that which was better in the search, then the earlier."""
    name, sign = summary.value_names[0], -1 if summary.maximize[0] else 1
    mean = trial.means[name].value if trial.means else 0.0
    return not trial.means, sign * mean, sign * trial.search[name], trial.number
