"""How a trial ended, for whoever reads its folder: ``result.json``; what it is: ``trial.json``."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from sweeper.disk.files import write_aside
from sweeper.records import TrialRow, Value

Read = TypeVar("Read")


class Status(StrEnum):
    """How a trial stands. One without an end runs, or its controller died with it."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Result:
    """What is known of a trial that has ended.

    Attributes:
        state: how it ended.
        objectives: what it was judged by, by name; empty unless it is complete.
        best_epoch: the step whose weights are kept; None where no epoch ended.
        metrics: the last value of each metric, by the names that MLflow has them under.
        sanity: the verdict of the loss check, and its reason: ``ok``, ``high``, ``stuck``, ``nan``.
        started: when, in seconds since 1970.
        ended: when it did; of one that was killed, when its controller noticed.
        seconds: how long it took.
        reason: why it was pruned, failed or interrupted.
        cause: a :class:`~sweeper.records.Cause` where it failed in its process, else empty.
        feasible: whether it keeps its constraints.
        counts: whether no other trial stands for it in the study's total.
        tested: results of the test and of the kept model; None where it was not tested.
    """

    state: Status
    objectives: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    sanity: str = ""
    sanity_reason: str = ""
    started: float = 0.0
    ended: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    cause: str = ""
    feasible: bool = True
    counts: bool = True
    tested: Mapping[str, float] | None = None


@dataclass(frozen=True)
class AboutTrial:
    """What a trial of a study is.

    Attributes:
        number: in its study.
        study: id of the study.
        params: what the search chose.
        started: when, in seconds since 1970.
        retry_of: number of the trial that it stands for; None where that is itself.
        distributions: what each of ``params`` was drawn from, as Optuna's JSON; none of a parameter
            that was not drawn, and of trials of older versions.
    """

    number: int
    study: str
    params: Mapping[str, Value]
    started: float
    retry_of: int | None = None
    distributions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AboutStudy:
    """What a study is.

    Attributes:
        name: of the study.
        study: its id.
        objectives: what trials are judged by.
        maximize: one entry for each of ``objectives``.
        words: the command line of its last sweep, without credentials.
        working_folder: where that was started; paths in ``words`` may be relative to it.
        mlflow: the command that opens MLflow's page, or its address.
        data: what its data sets are, in words.
        noticed: what a person should know of data and recipes.
    """

    name: str
    study: str
    objectives: tuple[str, ...]
    maximize: tuple[bool, ...]
    words: tuple[str, ...] = ()
    working_folder: str = ""
    mlflow: str = ""
    data: tuple[str, ...] = ()
    noticed: tuple[str, ...] = ()


def write(path: Path, what: Result | AboutTrial | AboutStudy) -> None:
    """Write ``what`` aside, then rename it to ``path``."""
    write_aside(path, f"{json.dumps(asdict(what), indent=2)}\n")


def read_result(path: Path) -> Result | None:
    """The result at ``path``, None where there is none or it cannot be read."""
    return _read(path, lambda known: Result(**{**known, "state": Status(known["state"])}))


def read_about_trial(path: Path) -> AboutTrial | None:
    """What is written at ``path`` of a trial, None where nothing is or it cannot be read."""
    return _read(path, lambda known: AboutTrial(**known))


def read_about_study(path: Path) -> AboutStudy | None:
    """What is written at ``path`` of a study, None where nothing is or it cannot be read."""

    def parsed(known: Mapping[str, Any]) -> AboutStudy:
        lists = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        return AboutStudy(**{**known, **lists})

    return _read(path, parsed)


def settle(path: Path, row: TrialRow) -> None:
    """Have the result at ``path`` say how the study remembers the trial.

    The trial's process writes what it knows; one that was killed writes nothing.
    """
    known = read_result(path) or Result(Status(row.state))
    write(
        path,
        replace(
            known,
            state=Status(row.state),
            reason=row.reason,
            cause=row.cause,
            seconds=row.seconds,
            feasible=row.feasible,
            counts=row.counts,
        ),
    )


def settle_interrupted(path: Path, reason: str) -> None:
    """Have the result at ``path`` say that the trial does not count: it was interrupted."""
    known = read_result(path) or Result(Status.INTERRUPTED)
    interrupted = Status.INTERRUPTED
    write(path, replace(known, state=interrupted, objectives={}, reason=reason, counts=False))


def _read(path: Path, parsed: Callable[[Mapping[str, Any]], Read]) -> Read | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return parsed(known) if isinstance(known, dict) else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
