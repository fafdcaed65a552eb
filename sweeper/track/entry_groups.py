"""Entries of a journal that one request to MLflow takes together."""

from collections.abc import Sequence

from sweeper.track.backend.mlflow_run import MlflowRun
from sweeper.track.backend.names import param_name, param_value
from sweeper.track.journal import Entry

TOGETHER = ("metrics", "params", "tags")
"""Kinds of entries that one request takes."""
_MOST = 1000
"""Metrics, parameters and tags in a request; MLflow takes no more."""


def next_group(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries that the next request takes."""
    size = 0
    for index, entry in enumerate(entries):
        size += len(entry.content.get(entry.kind, ())) if entry.kind in TOGETHER else _MOST
        if index and size > _MOST:
            return entries[:index]
        if entry.kind not in TOGETHER:
            return entries[:1]
    return entries


def write_together(run: MlflowRun, group: Sequence[Entry]) -> None:
    """Write metrics, parameters and tags of ``group``, whose kinds are :data:`TOGETHER`."""
    from mlflow.entities import Metric, Param

    metrics: list[Metric] = []
    params: list[Param] = []
    tags: dict[str, str] = {}
    for entry in group:
        for key, value in entry.content[entry.kind].items():
            match entry.kind:
                case "metrics":
                    metrics.append(Metric(key, value, entry.time, entry.content["step"]))
                case "params":
                    params.append(Param(param_name(key), param_value(value)))
                case _:  # of one that was set again, the last counts
                    tags[key] = value
    run.write(metrics, params, tags)
