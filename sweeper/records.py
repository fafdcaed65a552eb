"""The records that cross a border between rooms or processes: small, frozen, picklable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

Value = bool | int | float | str | None
"""What a searched parameter may hold; its type survives from the search space to MLflow."""


class State(StrEnum):
    """How a trial ended; the words of the ``sweeper.state`` tag."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class TrialSpec:
    """One trial as asked of the study, before it runs.

    ``overrides`` is the whole Hydra command line of the trial; ``context`` is what the
    application wants its trial process to know (for example a run id).
    """

    number: int
    params: Mapping[str, Value]
    overrides: tuple[str, ...]
    folder: Path
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochReport:
    """What a trial says after each epoch; ``step`` counts on across phases, from 0."""

    step: int
    value: float
    phase: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The answer to an :class:`EpochReport`. A stop carries its reason."""

    stop: bool = False
    reason: str = ""


@dataclass(frozen=True)
class TrialRow:
    """One finished trial as the study remembers it.

    ``value`` is the objective, None unless the trial is complete.
    """

    number: int
    state: State
    value: float | None
    seconds: float
    params: Mapping[str, Value]
    folder: Path
    reason: str = ""


@dataclass(frozen=True)
class StudySummary:
    """A study as it stands, rows by trial number. ``best`` is None when no trial completed."""

    name: str
    folder: Path
    maximize: bool
    rows: tuple[TrialRow, ...]
    best: TrialRow | None
