"""An evaluation is added to the MLflow run that a model is of."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.promote.contest import Arena
from sweeper.promote.in_mlflow import Say, in_mlflow
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.reference import Found
from sweeper.statistics.intervals import Figure
from sweeper.track.backend.mlflow import connect
from sweeper.track.backend.mlflow_store import usable


def log_evaluation(
    found: Found,
    classifier: SavedClassifier,
    figures: Mapping[str, Figure],
    folder: Path,
    uri: str,
    say: Say,
) -> str:
    """Log ``figures`` as ``evaluate_<name>`` and the files of ``folder``; returns the run's id.

    Raises:
        TrackerError: the store cannot be used.
        SweeperError: it does not take the model, which it lacks.
    """
    from mlflow.entities import Metric, RunTag

    def example() -> NDArray[np.uint8]:  # the model's own data need not be on this machine
        return Arena.of(classifier).example()

    model_id = in_mlflow(found, classifier.card, example, uri, say)
    client = connect(uri)
    with usable(uri):
        run_id = str(client.get_logged_model(model_id).source_run_id)
        now = int(1000 * time.time())
        metrics = [Metric(f"evaluate_{key}", one.value, now, 0) for key, one in figures.items()]
        client.log_batch(run_id, metrics, tags=[RunTag("sweeper.evaluated", folder.name)])
        client.log_artifacts(run_id, str(folder), f"evaluations/{folder.name}")
    return run_id
