"""A model in MLflow, from a folder that has the form of one: Keras is not needed for that.

``mlflow.keras.log_model`` does the same with a model that is in memory, and begins a second one
when it is called again.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.track.backend.mlflow_store import usable
from sweeper.track.backend.origin import origin_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

_NAME = "model"


def log_model(client: "MlflowClient", run_id: str, folder: Path) -> None:
    """Log ``folder``, as ``mlflow.keras.save_model`` writes it, as the model of the run.

    What an earlier call left half done is continued; a model that is whole stays as it is.

    Raises:
        TrackerError: the store cannot be used.
    """
    with usable(client.tracking_uri):
        run = client.get_run(run_id)
        model, *others = _known(client, run) or [_create(client, run)]
        if str(model.status) != "READY":
            _upload(client, run, model, folder)
        for other in others:  # of a request whose answer was lost
            client.delete_logged_model(other.model_id)


def _known(client: "MlflowClient", run: "Run") -> "list[LoggedModel]":
    """Models of the run: one that is whole first, then the oldest."""
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    return sorted(found, key=lambda one: (str(one.status) != "READY", one.creation_timestamp))


def _create(client: "MlflowClient", run: "Run") -> "LoggedModel":
    return client.create_logged_model(
        run.info.experiment_id,
        name=_NAME,
        source_run_id=run.info.run_id,
        tags=origin_tags(),
        params=run.data.params,
    )


def _upload(client: "MlflowClient", run: "Run", model: "LoggedModel", folder: Path) -> None:
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run_id, model_id = run.info.run_id, model.model_id
    outputs = run.outputs.model_outputs if run.outputs else []
    if all(one.model_id != model_id for one in outputs):  # a second one is refused
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    _copy_metrics(client, run, model_id)
    described = Model.load(str(folder))
    described.artifact_path = model.artifact_location
    described.model_uuid = described.model_id = model_id
    described.run_id = run_id
    described.save(str(folder / "MLmodel"))
    client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, "READY")


def _copy_metrics(client: "MlflowClient", run: "Run", model_id: str) -> None:
    """Have the metrics of step 0, the model's test among them, with the model too.

    As MLflow does it, whose page of models shows these.
    """
    from mlflow.entities import Metric

    metrics = [
        Metric(
            one.key, one.value, one.timestamp, one.step, model_id=model_id, run_id=run.info.run_id
        )
        for name in run.data.metrics
        for one in client.get_metric_history(run.info.run_id, name)
        if one.step == 0 and one.model_id is None
    ]
    client.log_batch(run.info.run_id, metrics)
