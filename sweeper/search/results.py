"""``optimization_results.yaml``: what came out, in the keys of hydra-optuna-sweeper."""

from pathlib import Path
from typing import Any

import yaml

from sweeper.paths import write_aside
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
