"""``optimization_results.yaml``: what came out, in the keys of hydra-optuna-sweeper; read again."""

from pathlib import Path
from typing import Any

import yaml

from sweeper.disk.files import write_aside
from sweeper.errors import ConfigError
from sweeper.records import StudySummary


def write_results(summary: StudySummary, path: Path) -> None:
    """Write the best trial, or with several objectives the Pareto set, as YAML.

    ``name best_params best_value``, or ``name solutions`` (each with ``params values``), are what
    hydra-optuna-sweeper writes; ``best_trial`` and ``trial`` are the trial's number, which is also
    its job's. With no complete trial ``best_params`` is empty and the other two are null.
    """
    results: dict[str, Any] = {"name": "optuna"}
    if len(summary.maximize) > 1:
        results["solutions"] = [
            {"params": dict(row.params), "values": list(row.values), "trial": row.number}
            for row in summary.front
        ]
    else:
        best = summary.best
        results["best_params"] = dict(best.params) if best else {}
        results["best_value"] = best.value if best else None
        results["best_trial"] = best.number if best else None
    write_aside(path, yaml.safe_dump(results, sort_keys=False))


def read_best(path: Path) -> list[dict[str, Any]]:
    """Parameters of the best trial, or of the Pareto set, of a sweep that wrote ``path``.

    Raises:
        ConfigError: there is no such file, or no best trial in it.
    """
    try:
        results = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "solutions" in results:
            return [dict(solution["params"]) for solution in results["solutions"]]
        if results["best_value"] is not None:
            return [dict(results["best_params"])]
        reason = "no trial of that sweep completed"
    except OSError as error:
        reason = str(error.strerror)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        reason = "it is no optimization_results.yaml"
    raise ConfigError([f"hydra.sweeper.enqueue: {path} cannot be used: {reason}"])
