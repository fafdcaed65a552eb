"""What became of a study's best trials when they were run again: ``confirmed.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.disk.files import write_aside
from sweeper.statistics.intervals import Figure


@dataclass(frozen=True)
class SeedRun:
    """A trial that was run again.

    Attributes:
        seed: with which.
        folder: of its files, relative to the study's.
        figures: each objective by its name; empty where it failed.
        reason: why it failed.
    """

    seed: int
    folder: str
    figures: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True)
class ConfirmedTrial:
    """One trial that was run again.

    Attributes:
        number: in its study.
        search: what the search measured, each objective by its name. The trial was chosen for it,
            so that it is too good on average, and no part of the means.
        runs: with other seeds.
        means: over those of ``runs`` that are complete, each objective by its name, with the 95 %
            interval of the mean by Student's t (None of a single run); empty where all failed.
        chosen: whether it is the winner. With several objectives none is.
    """

    number: int
    search: Mapping[str, float]
    runs: tuple[SeedRun, ...]
    means: Mapping[str, Figure]
    chosen: bool = False


@dataclass(frozen=True)
class Confirmed:
    """All trials of a study that were run again, the best mean first.

    Attributes:
        study: id of the study.
        best_of_search: number of the trial that was best before any was run again.
        trials: those that were.
    """

    study: str
    best_of_search: int
    trials: tuple[ConfirmedTrial, ...]

    @property
    def winner(self) -> ConfirmedTrial | None:
        """The trial with the best mean; None with several objectives, or where all runs failed."""
        return next((trial for trial in self.trials if trial.chosen), None)

    def trial(self, number: int) -> ConfirmedTrial | None:
        """The trial of that number, None where it was not run again."""
        return next((trial for trial in self.trials if trial.number == number), None)


def write_confirmed(path: Path, confirmed: Confirmed) -> None:
    """Write it aside, then rename it to ``path``."""
    write_aside(path, f"{json.dumps(asdict(confirmed), indent=2)}\n")


def read_confirmed(path: Path, study: str) -> Confirmed | None:
    """What is written at ``path`` of the study of that id.

    None where nothing is, where it cannot be read, and where another study left it.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        trials = tuple(_trial(one) for one in known["trials"])
        confirmed = Confirmed(known["study"], known["best_of_search"], trials)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return confirmed if confirmed.study == study else None


def _trial(known: Mapping[str, object]) -> ConfirmedTrial:
    runs, means = known["runs"], known["means"]
    if not isinstance(runs, list) or not isinstance(means, dict):
        raise TypeError("runs must be a list, and means an object")
    read = {
        "runs": tuple(SeedRun(**one) for one in runs),
        "means": {name: Figure(**one) for name, one in means.items()},
    }
    return ConfirmedTrial(**{**known, **read})  # type: ignore[arg-type]
