"""How much of a search's best figure was luck: five studies, each confirmed with other seeds.

``python measure.py`` searches, then runs the same commands with ``confirm`` added, so that the test
is known both of the trial that the search had put first and of the confirmed winner. What an
earlier run finished is not run again. ``python measure.py table`` prints the tables alone.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sweeper.report.reader import StudyReader
from sweeper.statistics.intervals import of_mean
from sweeper.study_files.confirmed import Confirmed, ConfirmedTrial
from sweeper.study_files.study_paths import StudyPaths

WORK = Path(__file__).parent / "runs"
STUDIES = (0, 1, 2, 3, 4)
OBJECTIVE = "val_accuracy"
CONFIRM = "confirm={top:3,seeds:3}"

_RECIPE = (
    "+experiment=digits_lite0",
    "image_size=48",
    # a small validation set, as people have it, and a test set that says what is true
    "dataset.test_fraction=0.6",
    "hydra.sweeper.n_trials=16",
    "hydra.sweeper.n_jobs=2",
)


def folder_of(study: int) -> StudyPaths:
    """Where a study lies."""
    return StudyPaths(WORK / "experiments" / f"curse_{study}")


def run(study: int, *more: str) -> None:
    """Run the sweep of a study; its seed draws the split, the heads and the proposals."""
    WORK.mkdir(parents=True, exist_ok=True)
    own = (
        f"name=curse_{study}",
        f"seed={study}",
        f"dataset.split_seed={study}",
        f"hydra.sweeper.sampler.seed={study}",
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(WORK / "cache")}
    command = [sys.executable, "-m", "sweeper", "-m", *_RECIPE, *own, *more]
    subprocess.run(command, cwd=WORK, env=environment, check=True)


def measure(study: int) -> None:
    """Search, keep what is known of the winner, then confirm."""
    paths = folder_of(study)
    before = paths.folder / "winner_of_search.yaml"
    if not before.exists():
        run(study)
        before.write_bytes(paths.winner.read_bytes())
    run(study, CONFIRM)


@dataclass(frozen=True)
class Row:
    """A study: what the search said of its best trial, and what is true of it and of the winner."""

    confirmed: Confirmed
    test_of_first: dict[str, Any]
    test_of_winner: dict[str, Any]

    @property
    def first(self) -> ConfirmedTrial:
        """The trial that the search had put first."""
        found = self.confirmed.trial(self.confirmed.best_of_search)
        assert found is not None
        return found

    @property
    def winner(self) -> ConfirmedTrial:
        """The trial with the best mean."""
        assert self.confirmed.winner is not None
        return self.confirmed.winner


def read(study: int) -> Row:
    """What a study measured."""
    paths = folder_of(study)
    confirmed = StudyReader(paths.folder).confirmed()
    assert confirmed is not None
    before = yaml.safe_load((paths.folder / "winner_of_search.yaml").read_text())
    after = yaml.safe_load(paths.winner.read_text())
    return Row(confirmed, before["test"], after["test"])


def figure(trial: ConfirmedTrial) -> str:
    """A mean with its interval."""
    mean = trial.means[OBJECTIVE]
    return f"{mean.value:.4f} ({mean.low:.3f} to {mean.high:.3f})"


def tested(test: dict[str, Any]) -> str:
    """A test accuracy with its interval."""
    low, high = test["test_accuracy_low"], test["test_accuracy_high"]
    return f"{test['test_accuracy']:.4f} ({low:.3f} to {high:.3f})"


def mean(values: list[float], sign: str = "") -> str:
    """The mean over the studies with the interval of Student's t."""
    low, high = of_mean(np.array(values))
    return f"{statistics.mean(values):{sign}.4f} ({low:{sign}.4f} to {high:{sign}.4f})"


def show() -> None:
    """Print the tables."""
    rows = [read(study) for study in STUDIES]
    print("| study | search's best | the same trial, confirmed | its test |", end="")
    print(" winner | in the search | confirmed | test |")
    print("|---|---|---|---|---|---|---|---|")
    for study, row in zip(STUDIES, rows, strict=True):
        print(
            f"| {study} | trial {row.first.number}: {row.first.search[OBJECTIVE]:.4f} "
            f"| {figure(row.first)} | {tested(row.test_of_first)} "
            f"| trial {row.winner.number} | {row.winner.search[OBJECTIVE]:.4f} "
            f"| {figure(row.winner)} | {tested(row.test_of_winner)} |"
        )
    search = [row.first.search[OBJECTIVE] for row in rows]
    again = [row.first.means[OBJECTIVE].value for row in rows]
    chosen = [row.winner.means[OBJECTIVE].value for row in rows]
    first = [float(row.test_of_first["test_accuracy"]) for row in rows]
    winner = [float(row.test_of_winner["test_accuracy"]) for row in rows]
    print(f"\n| mean over {len(rows)} studies | value (95 %) |\n|---|---|")
    for name, values, sign in (
        ("search's best figure", search, ""),
        ("the same trial, confirmed", again, ""),
        ("the winner, confirmed", chosen, ""),
        ("test of the search's best", first, ""),
        ("test of the winner", winner, ""),
        ("search's best figure - the same trial, confirmed", difference(search, again), "+"),
        ("search's best figure - its test", difference(search, first), "+"),
        ("winner, confirmed - its test", difference(chosen, winner), "+"),
        ("test of the winner - test of the search's best", difference(winner, first), "+"),
    ):
        print(f"| {name} | {mean(values, sign)} |")
    spread = [
        statistics.variance(run.figures[OBJECTIVE] for run in trial.runs)
        for row in rows
        for trial in row.confirmed.trials
    ]
    print(f"\nstandard deviation between seeds: {math.sqrt(statistics.mean(spread)):.4f}")


def difference(one: list[float], other: list[float]) -> list[float]:
    """Of each study."""
    return [a - b for a, b in zip(one, other, strict=True)]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "table"], default="all")
    if parser.parse_args().what == "all":
        for study in STUDIES:
            measure(study)
    show()


if __name__ == "__main__":
    main()
