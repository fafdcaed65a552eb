"""Settings of a sweep that are right by themselves and do not go together."""

from collections.abc import Iterator, Mapping
from typing import Any

from optuna.samplers import BaseSampler, BruteForceSampler, CmaEsSampler, GridSampler

from sweeper.errors import ConfigError
from sweeper.execute.kinds import EXECUTORS
from sweeper.search.settings.defaults import SWEEPER
from sweeper.search.settings.samplers import build_pruner, build_sampler

_OF_RAY = ("address", "num_cpus", "num_gpus")
_ENDS = ("n_trials", "timeout", "target", "patience", "min_gain")


def contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each fault of sampler and pruner, and of settings beside one another.

    Args:
        values: what stands under ``hydra.sweeper``, which may have faults of its own.
    """
    sampler = None
    try:
        sampler = build_sampler(values["sampler"], dict)
    except ConfigError as error:
        yield from error.faults
    try:
        build_pruner(values["pruner"])
    except ConfigError as error:
        yield from error.faults
    yield from _objectives(values, sampler)
    finite = isinstance(sampler, GridSampler | BruteForceSampler)
    if sampler and not finite and all(values[key] is None for key in _ENDS):
        yield f"hydra.sweeper: nothing ends the study; set one of {', '.join(_ENDS)}"
    executor = values["executor"]
    if isinstance(executor, Mapping):
        executor = {**SWEEPER["executor"], **executor}
    kind = EXECUTORS.get(str(executor["kind"])) if isinstance(executor, Mapping) else None
    if kind is not None and not kind.in_processes:
        yield from _inline(values, executor)
    if kind is not None:
        yield from _misplaced(executor)
    warm_start = values["warm_start"]
    own = warm_start.get("storage") if isinstance(warm_start, Mapping) else None
    stored = values["storage"] is not None or own is not None
    if isinstance(warm_start, str | Mapping) and not stored:
        yield "hydra.sweeper.warm_start needs a storage: hydra.sweeper.warm_start.storage=<url>"


def _objectives(values: Mapping[str, Any], sampler: BaseSampler | None) -> Iterator[str]:
    direction = values["direction"]
    if not isinstance(direction, list) or len(direction) < 2:
        return
    one = f"takes one objective, but hydra.sweeper.direction has {len(direction)}"
    if isinstance(sampler, CmaEsSampler):
        yield f"hydra/sweeper/sampler=cmaes {one}"
    for key in ("target", "patience", "min_gain"):
        if values[key] is not None:
            yield f"hydra.sweeper.{key} {one}"


def _misplaced(executor: Mapping[str, Any]) -> Iterator[str]:
    """Keys of one kind of executor beside another."""
    on_cluster = executor["kind"] == "ray"
    for key in ("devices", "trials_per_device") if on_cluster else _OF_RAY:
        if executor.get(key) not in (None, "auto"):
            instead = (
                "Ray gives devices to trials; set num_cpus and num_gpus"
                if on_cluster
                else "set kind=ray, or leave it out"
            )
            where = f"hydra.sweeper.executor.{key}"
            yield f"{where} has no effect with kind={executor['kind']}: {instead}"


def _inline(values: Mapping[str, Any], executor: Mapping[str, Any]) -> Iterator[str]:
    if (executor.get("devices", "auto"), executor.get("trials_per_device")) != ("auto", None):
        yield (
            f"hydra.sweeper.executor.kind={executor['kind']} runs in this process, which devices "
            "cannot be dealt out to"
        )
    for key, alone in (("n_jobs", (None, 1)), ("trial_timeout", (None,))):
        if values[key] not in alone:
            yield (
                f"hydra.sweeper.{key} needs trials in processes of their own, got "
                f"{values[key]!r}; set hydra.sweeper.executor.kind=process"
            )
