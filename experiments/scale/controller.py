"""What the controller itself takes for each trial, in a study of 100, 1,000 and 10,000.

    python experiments/scale/controller.py [--trials 100 1000 10000]

Trials do nothing, in this process; all else is as in a sweep of fine-tunes: proposals (random), the
study's store (SQLite), folders, journals for MLflow, leaderboard, page, what is kept of the best.
Nothing is delivered to MLflow meanwhile: that is another thread's work. A study is filled with
copies of a trial, and then continued for 100 more. Prints the median milliseconds from one
trial's end to the next, and their quartiles.
"""

import argparse
import contextlib
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from sweeper.app.fine_tune_study import FineTuneStudy
from sweeper.entry import run
from sweeper.execute.executor import Executor, Placement
from sweeper.records import Prepared, StudySummary, TrialRow
from sweeper.search.hooks import with_hooks
from sweeper.study_files.study_paths import StudyPaths
from sweeper.validation import parse

WINDOW = 100
ENDED: list[float] = []


class NotDelivered:
    """What is recorded for MLflow stays in the journals."""

    def __init__(self, uri: str, _say: object) -> None:
        self.store = argparse.Namespace(uri=uri)

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments, **_more: None


class Instant(FineTuneStudy):
    """The hooks of fine-tunes, but for what data and network are needed for."""

    def preflight(self, candidates: Any, _executor: Executor) -> None:
        """Find nothing."""
        self._log = StudyPaths(Path(str(candidates[0].hydra.sweep.dir)).absolute()).prepare_log
        self._prepared = Prepared((), (), "", (), "")

    def prebuild(self, _executor: Executor) -> None:
        """Compute nothing."""

    def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
        """Note when it was done."""
        super().trial_finished(row, summary)
        ENDED.append(time.perf_counter())

    def study_finished(self, summary: StudySummary, _executor: Executor, _place: Placement) -> None:
        """Test nothing."""


@with_hooks(Instant)
def main(config: DictConfig) -> float:
    """A value, at once."""
    return -((parse(config).optimizer.learning_rate - 0.004) ** 2)


def sweep(trials: int) -> None:
    """Run the study up to so many trials, in this folder, without a word."""
    words = [
        *("-m", "+experiment=digits_lite0", f"hydra.sweeper.n_trials={trials}"),
        *("hydra/sweeper/sampler=random", "hydra.sweeper.executor.kind=inline"),
        "hydra.sweeper.storage=sqlite:///studies.db",
    ]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        run(main, words)


def fill(trials: int) -> None:
    """Add copies of the study's first trial until there are so many."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="digits_lite0", storage="sqlite:///studies.db")
    (first,) = study.get_trials()
    random = np.random.default_rng(0)
    folder = str(first.user_attrs["folder"])
    for number in range(1, trials):
        first.user_attrs["folder"] = folder.replace("0000", f"{number:04d}")
        first.value = -float(random.random())
        study.add_trial(first)


def measured(trials: int) -> tuple[float, float, float]:
    """Quartiles of the milliseconds from one trial's end to the next, after so many trials."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sweep(1)
        fill(trials)
        ENDED.clear()
        sweep(trials + WINDOW)
    taken = [1000 * (after - before) for before, after in pairwise(ENDED)]
    low, middle, high = np.quantile(taken, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


if __name__ == "__main__":
    from sweeper.track import delivery

    delivery.Delivery = NotDelivered  # type: ignore[assignment, misc]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1_000, 10_000])
    for number in parser.parse_args().trials:
        low, middle, high = measured(number)
        print(f"| {number:,} | {middle:.1f} ({low:.1f} to {high:.1f}) |", flush=True)
