"""What the controller itself takes for each trial, in a study of 100, 1,000 and 10,000.

    python experiments/scale/controller.py [--trials 100 1000 10000] [--sampler random]

Trials do nothing, in this process; all else is as in a sweep of fine-tunes: proposals, the study's
store (SQLite), folders, journals for MLflow, leaderboard, page, what is kept of the best. Nothing
is delivered to MLflow meanwhile: that is another thread's work. A study is filled with copies of a
trial, and then continued for 100 more. Prints the milliseconds of a processor from one trial's end
to the next, without those of the trial itself: median and quartiles.
"""

import argparse
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from omegaconf import DictConfig

from sweeper.app.fine_tune_study import FineTuneStudy
from sweeper.entry import run
from sweeper.execute.executor import Executor, Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import Prepared, StudySummary, TrialRow
from sweeper.search.hooks import with_hooks
from sweeper.study_files.study_paths import StudyPaths
from sweeper.validation import parse

WINDOW = 100
ENDED: list[float] = []
"""Seconds of a processor at the end of each trial, without those that trials took."""


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
        ENDED.append(time.process_time() - Timed.seconds)

    def study_finished(self, summary: StudySummary, _executor: Executor, _place: Placement) -> None:
        """Test nothing."""


@with_hooks(Instant)
def main(config: DictConfig) -> float:
    """A value, at once."""
    return -((parse(config).optimizer.learning_rate - 0.004) ** 2)


class Timed(InlineExecutor):
    """Adds up the seconds of a processor that trials take."""

    seconds: ClassVar[float] = 0.0

    def run(self, *arguments: Any, **more: Any) -> Any:
        """Run a trial."""
        began = time.process_time()
        try:
            return super().run(*arguments, **more)
        finally:
            Timed.seconds += time.process_time() - began


def sweep(trials: int, sampler: str) -> None:
    """Run the study up to so many trials, in this folder, without a word."""
    words = [
        *("-m", "+experiment=digits_lite0", f"hydra.sweeper.n_trials={trials}"),
        *(f"hydra/sweeper/sampler={sampler}", "hydra.sweeper.executor.kind=inline"),
        "hydra.sweeper.storage=sqlite:///studies.db",
    ]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        run(main, words)


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """The study's store, which is written when the block ends."""
    with contextlib.closing(sqlite3.connect("studies.db")) as connection, connection:
        yield connection


def fill(trials: int) -> None:
    """Add copies of the study's first trial until there are so many, with values of their own."""
    with database() as store:
        store.execute(
            "with recursive k(i) as (select 1 union all select i + 1 from k where i < ?) "
            "insert into trials (number, study_id, state, datetime_start, datetime_complete) "
            "select i, study_id, state, datetime_start, datetime_complete from trials, k",
            [trials - 1],
        )
        for table, columns in (
            ("trial_params", "param_name, param_value, distribution_json"),
            ("trial_values", "objective, value, value_type"),
            ("trial_user_attributes", "key, value_json"),
            ("trial_system_attributes", "key, value_json"),
            ("trial_intermediate_values", "step, intermediate_value, intermediate_value_type"),
        ):
            store.execute(
                f"insert into {table} (trial_id, {columns}) select other.trial_id, {columns} "
                f"from {table}, trials other where other.number > 0"
            )
        store.execute(
            "update trial_values set value = value - abs(random() / 1e19) where trial_id > 1"
        )
        store.execute(
            "update trial_user_attributes set value_json = replace(value_json, '0000', "
            "(select printf('%04d', number) from trials where trials.trial_id = "
            "trial_user_attributes.trial_id)) where key = 'folder'"
        )


def measured(trials: int, sampler: str) -> tuple[float, float, float]:
    """Quartiles of the milliseconds from one trial's end to the next, after so many trials."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sweep(1, sampler)
        fill(trials)
        ENDED.clear()
        sweep(trials + WINDOW, sampler)
    taken = [1000 * (after - before) for before, after in pairwise(ENDED)]
    low, middle, high = np.quantile(taken, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


if __name__ == "__main__":
    from sweeper.execute import inline
    from sweeper.track import delivery

    delivery.Delivery = NotDelivered  # type: ignore[assignment, misc]
    inline.InlineExecutor = Timed  # type: ignore[misc]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--sampler", default="random")
    asked = parser.parse_args()
    for number in asked.trials:
        low, middle, high = measured(number, asked.sampler)
        print(f"| {number:,} | {middle:.1f} ({low:.1f} to {high:.1f}) |", flush=True)
