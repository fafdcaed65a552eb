"""What stands under ``hydra.sweeper``, checked: every fault in one message."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError

from sweeper.config import Executor, FaultStyle
from sweeper.config.faults import shown
from sweeper.config.fields import Closed, Count, NotNegative, Positive, one_of
from sweeper.errors import ConfigError
from sweeper.execute.kinds import EXECUTORS
from sweeper.records import Cause, Value
from sweeper.search.settings.contradictions import contradictions
from sweeper.search.settings.defaults import SAMPLERS, SWEEPER
from sweeper.search.settings.migration import heartbeat, storage_url
from sweeper.search.settings.samplers import plain

Times = Annotated[int, Field(ge=0)]


class ExecutorSettings(Executor):
    """Where trials run.

    Attributes:
        kind: process; inline: in this process, one after the other; or ray: on a Ray cluster.
        address: of the cluster; null or auto for that of this machine, local for a new one here.
        num_cpus: that each trial has of the cluster, also parts; null for 1.
        num_gpus: the same; null for 1 on a cluster that has any.
    """

    kind: Annotated[str, AfterValidator(partial(one_of, known=EXECUTORS, what="an executor"))]
    address: str | None
    num_cpus: Positive | None
    num_gpus: NotNegative | None


class WarmStart(Closed):
    """A study to learn from.

    Attributes:
        study_name: of that study; warm_start=<name> says the same.
        storage: where it is kept; null for where the sweep's own is.
    """

    study_name: str
    storage: str | None = None


class Retries(Closed):
    """How often a trial is tried again, by the cause of its failure.

    A number is for killed; 0 is for all.

    Attributes:
        killed: its process was killed, by a signal or the system.
        raised: it raised an error.
        timeout: it took longer than trial_timeout.
        oom: it ran out of memory.
        nonsense: it returned something else than numbers.
        lost: the node of the Ray cluster that it ran on was lost.
    """

    killed: Times
    raised: Times
    timeout: Times
    oom: Times
    nonsense: Times
    lost: Times

    @property
    def by_cause(self) -> dict[Cause, int]:
        """The same as a mapping."""
        return {Cause(name): times for name, times in self.model_dump().items()}


def _directions(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ValueError("must name at least one direction, got []")
    for one in listed:
        if one not in _DIRECTIONS:
            # Optuna's own names are in capitals
            hint = "; in lower case" if str(one).lower() in _DIRECTIONS else ""
            raise ValueError(f"must be minimize or maximize, got {one!r}{hint}")
    return tuple(listed)


def _cores(value: int) -> int:
    if value < 1 and value != -1:
        raise ValueError(f"must be >= 1, or -1 for as many as cores, got {value}")
    return value


def _least(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "error" or (number and 0 < value < math.inf):
        return value
    raise ValueError(f"must be a number > 0, error or null, got {shown(value)}")


def _point(value: Any) -> Any:
    if not isinstance(value, Mapping | str):
        wanted = "a parameter set, or the path of an optimization_results.yaml"
        raise ValueError(f"must be {wanted}, got {shown(value)}")
    return value


def _named(value: Any) -> Any:
    if not isinstance(value, str | Mapping | None):
        wanted = "a study's name, or study_name and storage"
        raise ValueError(f"must be {wanted}, got {shown(value)}")
    return {"study_name": value} if isinstance(value, str) else value


def _killed(value: Any) -> Any:
    if type(value) is int:
        lost = SWEEPER["retries"]["lost"] if value else 0
        return {**dict.fromkeys(SWEEPER["retries"], 0), "killed": value, "lost": lost}
    return {**SWEEPER["retries"], **value} if isinstance(value, Mapping) else value


def _with_defaults(value: Any) -> Any:
    return {**SWEEPER["executor"], **value} if isinstance(value, Mapping) else value


_DIRECTIONS = ("minimize", "maximize")


class SweepSettings(Closed):
    """The keys of ``hydra.sweeper``; ``defaults.py`` beside this has their meanings.

    ``directions`` has one entry for each objective. Times are in seconds. Sampler and pruner are
    what :mod:`sweeper.search.settings.samplers` builds from.
    """

    sampler: Any
    pruner: Any
    directions: Annotated[tuple[str, ...], Field(alias="direction"), PlainValidator(_directions)]
    storage: str | None
    study_name: str | None
    n_trials: Count | None
    n_jobs: Annotated[int, AfterValidator(_cores)] | None
    max_failure_rate: Annotated[float, Field(ge=0, le=1)] | None
    params: dict[Any, Any] | None
    custom_search_space: str | None
    enqueue: list[Annotated[dict[str, Value] | str, PlainValidator(_point)]] | None
    warm_start: Annotated[WarmStart | None, BeforeValidator(_named)]
    retries: Annotated[Retries, BeforeValidator(_killed)]
    trial_timeout: Positive | None
    timeout: Positive | None
    target: float | None
    patience: Count | None
    min_gain: Annotated[float | str | None, PlainValidator(_least)]
    resume: bool
    heartbeat_interval: Count
    storage_timeout: Positive
    executor: Annotated[ExecutorSettings, BeforeValidator(_with_defaults)]

    @classmethod
    def read(cls, mapping: Mapping[str, Any]) -> "SweepSettings":
        """Read what a person wrote; what is left out has its default.

        Raises:
            ConfigError: with every fault, those of sampler and pruner among them.
        """
        # Hydra's own keys (_target_, _recursive_) are not ours to judge
        given = {
            str(key): plain(value, resolve=key != "params")  # these are read trial by trial
            for key, value in mapping.items()
            if not str(key).startswith("_")
        }
        given.pop("search_space", None)  # read with the search space
        values = {**SWEEPER, "sampler": SAMPLERS["tpe"], "pruner": None, **given}
        faults: list[str] = []
        _read_storage(values, faults)
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            faults += _STYLE.sentences(error)
        faults += contradictions(values)
        if faults:
            raise ConfigError(faults)
        return settings


_STYLE = FaultStyle(
    SweepSettings, prefix="hydra.sweeper", whole="hydra.sweeper", key="a setting of the sweep"
)


def _read_storage(values: dict[str, Any], faults: list[str]) -> None:
    node = values["storage"]
    beat = heartbeat(node)
    if type(beat) is int and beat > 0:
        values["heartbeat_interval"] = beat
    try:
        values["storage"] = storage_url("hydra.sweeper.storage", node)
    except ConfigError as error:
        faults += error.faults
        values["storage"] = None
