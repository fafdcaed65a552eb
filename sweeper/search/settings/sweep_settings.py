"""What stands under ``hydra.sweeper``, checked: every fault in one message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.samplers import BruteForceSampler, CmaEsSampler, GridSampler

from sweeper.errors import ConfigError
from sweeper.records import Cause, Value
from sweeper.search.settings.checks import (
    Check,
    fault,
    group,
    number,
    or_null,
    seconds,
    share,
    switch,
    text,
    unknown,
    whole,
)
from sweeper.search.settings.defaults import SAMPLERS, SWEEPER
from sweeper.search.settings.migration import heartbeat, storage_url
from sweeper.search.settings.samplers import build_pruner, build_sampler, plain


@dataclass(frozen=True)
class ExecutorSettings:
    """Where trials run; ``devices`` is ``auto``, ``cpu`` or the CUDA devices.

    ``threads`` are those of each trial on the CPU, None for as many as the study began with.
    """

    kind: str
    devices: str | tuple[int | str, ...]
    trials_per_device: int | None
    threads: int | None


@dataclass(frozen=True)
class WarmStart:
    """A study to learn from; ``storage`` None is that of the sweep itself."""

    study_name: str
    storage: str | None


@dataclass(frozen=True)
class SweepSettings:
    """The keys of ``hydra.sweeper``; ``defaults.py`` beside this has their meanings.

    ``directions`` has one entry for each objective. Times are in seconds.
    """

    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None
    directions: tuple[str, ...]
    storage: str | None
    study_name: str | None
    n_trials: int | None
    n_jobs: int | None
    max_failure_rate: float | None
    params: Mapping[str, Any] | None
    custom_search_space: str | None
    enqueue: tuple[Mapping[str, Value] | str, ...]
    warm_start: WarmStart | None
    retries: Mapping[Cause, int]
    trial_timeout: float | None
    timeout: float | None
    target: float | None
    patience: int | None
    resume: bool
    heartbeat_interval: int
    executor: ExecutorSettings

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
        values = {**SWEEPER, "sampler": SAMPLERS["tpe"], "pruner": None, **given}
        faults = list(unknown(given, {**SWEEPER, "search_space": None}, "hydra.sweeper"))
        _read_storage(values, faults)
        for key, check in _CHECKS.items():
            faults += check(f"hydra.sweeper.{key}", values[key])
        faults += _contradictions(values)
        if faults:
            raise ConfigError(faults)
        values.pop("search_space", None)  # read with the search space
        direction, warm_start = values.pop("direction"), values.pop("warm_start")
        if isinstance(warm_start, str):
            warm_start = {"study_name": warm_start}
        executor = {**SWEEPER["executor"], **values.pop("executor")}
        if isinstance(executor["devices"], list):
            executor["devices"] = tuple(executor["devices"])
        return cls(
            **values
            | {
                "directions": (direction,) if isinstance(direction, str) else tuple(direction),
                "enqueue": tuple(values["enqueue"] or ()),
                "warm_start": warm_start and WarmStart(**{"storage": None, **warm_start}),
                "retries": _retries(values["retries"]),
                "executor": ExecutorSettings(**executor),
            }
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


def _direction(where: str, value: Any) -> Iterator[str]:
    directions = value if isinstance(value, list) else [value]
    if not directions:
        yield f"{where} must name at least one direction, got []"
    for direction in directions:
        if direction not in ("minimize", "maximize"):
            lower = str(direction).lower()
            hint = "; in lower case" if lower in ("minimize", "maximize") else ""
            yield f"{where} must be minimize or maximize, got {direction!r}{hint}"


def _jobs(where: str, value: Any) -> Iterator[str]:
    if type(value) is int and value < 1:
        if value != -1:
            yield f"{where} must be >= 1, or -1 for as many as cores, got {value}"
    else:
        yield from whole(1)(where, value)


def _enqueue(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield fault(where, "a list of parameter sets", value)
        return
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping | str):
            wanted = "a parameter set, or the path of an optimization_results.yaml"
            yield fault(f"{where}[{index}]", wanted, entry)


def _warm_start(where: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from unknown(value, {"study_name": None, "storage": None}, where)
        yield from text(f"{where}.study_name", value.get("study_name"))
        yield from or_null(text)(f"{where}.storage", value.get("storage"))
    elif not isinstance(value, str):
        yield fault(where, "a study's name, or study_name and storage", value)


def _retry(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield from whole(0)(where, value)
        return
    yield from unknown(value, SWEEPER["retries"], where)
    for cause, times in value.items():
        yield from whole(0)(f"{where}.{cause}", times)


def _retries(value: Any) -> Mapping[Cause, int]:
    times = {Cause.KILLED: value} if isinstance(value, int) else value
    defaults = dict.fromkeys(Cause, 0) if isinstance(value, int) else SWEEPER["retries"]
    return {cause: times.get(cause, defaults[cause]) for cause in Cause}


def _executor(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield fault(where, "a group of keys", value)
        return
    yield from unknown(value, SWEEPER["executor"], where)
    kind, devices = value.get("kind", "process"), value.get("devices", "auto")
    if kind not in ("process", "inline"):
        yield f"{where}.kind must be process or inline, got {kind!r}"
    if isinstance(devices, list):
        wrong = not devices or any(type(device) not in (int, str) for device in devices)
    else:
        wrong = devices not in ("auto", "cpu")
    if wrong:
        yield f"{where}.devices must be auto, cpu or a list of CUDA devices, got {devices!r}"
    each = value.get("trials_per_device")
    yield from or_null(whole(1))(f"{where}.trials_per_device", each)
    yield from or_null(whole(1))(f"{where}.threads", value.get("threads"))
    if kind == "inline" and (devices != "auto" or each is not None):
        yield f"{where}.kind=inline runs in this process, which devices cannot be dealt out to"


_CHECKS: Mapping[str, Check] = {
    "direction": _direction,
    "storage": or_null(text),
    "study_name": or_null(text),
    "n_trials": or_null(whole(1)),
    "n_jobs": or_null(_jobs),
    "max_failure_rate": or_null(share),
    "params": or_null(group),
    "custom_search_space": or_null(text),
    "enqueue": or_null(_enqueue),
    "warm_start": or_null(_warm_start),
    "retries": _retry,
    "trial_timeout": or_null(seconds),
    "timeout": or_null(seconds),
    "target": or_null(number),
    "patience": or_null(whole(1)),
    "resume": switch,
    "heartbeat_interval": whole(1),
    "executor": _executor,
}


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Faults of sampler and pruner, and of settings that do not go together."""
    sampler = None
    try:
        sampler = build_sampler(values["sampler"], dict)
    except ConfigError as error:
        yield from error.faults
    try:
        build_pruner(values["pruner"])
    except ConfigError as error:
        yield from error.faults
    direction = values["direction"]
    if isinstance(direction, list) and len(direction) > 1:
        one = f"takes one objective, but hydra.sweeper.direction has {len(direction)}"
        if isinstance(sampler, CmaEsSampler):
            yield f"hydra/sweeper/sampler=cmaes {one}"
        for key in ("target", "patience"):
            if values[key] is not None:
                yield f"hydra.sweeper.{key} {one}"
    ends = ("n_trials", "timeout", "target", "patience")
    finite = isinstance(sampler, GridSampler | BruteForceSampler)
    if sampler and not finite and all(values[key] is None for key in ends):
        yield f"hydra.sweeper: nothing ends the study; set one of {', '.join(ends)}"
    executor = values["executor"]
    if isinstance(executor, Mapping) and executor.get("kind") == "inline":
        for key, alone in (("n_jobs", (None, 1)), ("trial_timeout", (None,))):
            if values[key] not in alone:
                yield (
                    f"hydra.sweeper.{key} needs trials in processes of their own, got "
                    f"{values[key]!r}; set hydra.sweeper.executor.kind=process"
                )
    warm_start, storage = values["warm_start"], values["storage"]
    if isinstance(warm_start, str):
        warm_start = {"study_name": warm_start}
    if isinstance(warm_start, Mapping) and storage is None and warm_start.get("storage") is None:
        yield "hydra.sweeper.warm_start needs a storage: hydra.sweeper.warm_start.storage=<url>"
