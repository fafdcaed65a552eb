"""All that was measured, as it is kept in a file."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import whole
from plan import SWEEPS
from runs import Fit, Run


@dataclass(frozen=True)
class Results:
    """Runs by the name of the measurement, speeds of the floor, and what the machine was like."""

    runs: dict[str, list[Run]]
    floor: list[dict[str, Any]]
    machine: dict[str, Any]

    def seconds(self, name: str) -> float:
        """Median of whole commands."""
        return statistics.median(run.seconds for run in self.runs[name])

    def epochs(self, name: str) -> int:
        """How many a fit of these runs has."""
        return len(self.runs[name][0].fits[0].epoch_seconds)

    def epoch_seconds(self, name: str, fit: int = 0) -> float:
        """Median of an epoch of this fit of a run; without the first, in which graphs are built."""
        runs = self.runs[name]
        return statistics.median(one for run in runs for one in run.fits[fit].epoch_seconds[1:])

    def peer_seconds(self, row: str, peer: str) -> float:
        """A peer's whole sweep, reckoned from the trials that it ran."""
        return whole(self.runs[f"{row} {peer}"], SWEEPS[row].trials)


def load(path: Path) -> Results:
    """What `measure.py` wrote."""
    content = json.loads(path.read_text())
    runs = {
        name: [Run(run["seconds"], [Fit(**fit) for fit in run["fits"]]) for run in made]
        for name, made in content["runs"].items()
    }
    return Results(runs, content["floor"], content["machine"])
