"""Classifiers that MLflow has, copied to this machine once."""

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.addresses import redact
from sweeper.config import nearest
from sweeper.errors import MissingInput
from sweeper.paths import cache_dir
from sweeper.saved.card import IN_MLFLOW, NETWORK
from sweeper.track.backend.mlflow import connect
from sweeper.track.backend.mlflow_store import is_made, usable

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FILE = f"{IN_MLFLOW}/{NETWORK}"
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
"""Of a logged model."""


def download(model: str, uri: str) -> tuple[Path, str]:
    """The ``.keras`` file of a registered model (``models:/...``) or of the model of a run.

    Returns:
        The file, and the id of the logged model.

    Raises:
        MissingInput: the store has no such model, or not one of sweeper's.
        TrackerError: the store cannot be used.
    """
    if not is_made(uri):  # to open it would make it
        raise MissingInput(
            f"MLflow at {redact(uri)} has no {model}: there is no such database; set "
            "MLFLOW_TRACKING_URI to the store that has it"
        )
    client = connect(uri)
    with usable(uri):
        if model.startswith("models:/"):
            model_id = _registered(client, model)
        else:
            model_id = model_of_run(client, model.removeprefix("runs:/").split("/")[0], uri)
        kept = cache_dir() / "models" / model_id
        network = kept / _FILE
        if not network.is_file():
            _copy(client, model_id, kept)
    if not network.is_file():
        raise MissingInput(f"{model} is no classifier of Keras: it has no {_FILE}")
    return network, model_id


def _registered(client: "MlflowClient", model: str) -> str:
    from mlflow.exceptions import MlflowException

    meant = model.removeprefix("models:/")
    name, at, alias = meant.partition("@")
    name, slash, number = name.partition("/")
    try:
        if _MODEL_ID.fullmatch(meant):
            return str(client.get_logged_model(meant).model_id)
        if at:
            version = client.get_model_version_by_alias(name, alias)
        elif slash:
            version = client.get_model_version(name, number)
        else:
            raise MissingInput(f"which version of {name} is meant? {_known(client, name)}")
    except MlflowException as error:
        store = redact(client.tracking_uri)
        raise MissingInput(f"MLflow at {store} has no {model}; {_known(client, name)}") from error
    logged = _MODEL_ID.search(version.source or "")  # stores keep no model_id
    return logged[0] if logged else model_of_run(client, version.run_id or "", client.tracking_uri)


def _known(client: "MlflowClient", name: str) -> str:
    """What may have been meant by a registered model called ``name``."""
    models = {one.name: one for one in client.search_registered_models()}
    if name not in models:
        hint = nearest(name, models)
        return f"registered models: {', '.join(sorted(models)) or 'none'}{hint}"
    aliases = [f"models:/{name}@{alias}" for alias in sorted(models[name].aliases)]
    versions = client.search_model_versions(f"name = '{name}'")
    numbers = sorted(int(one.version) for one in versions)
    return f"it has {', '.join([*aliases, *(f'models:/{name}/{one}' for one in numbers)])}"


def model_of_run(client: "MlflowClient", run_id: str, uri: str) -> str:
    """Id of the logged model of a run.

    Raises:
        MissingInput: there is no such run, or it has no model that is whole.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise MissingInput(f"MLflow at {redact(uri)} has no run {run_id}") from error
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    ready = [one for one in found if str(one.status) == "READY"]
    if not ready:
        raise MissingInput(
            f"run {run_id} has no model: a study's best trials and single fine-tunes have one"
        )
    model_id: str = ready[0].model_id
    return model_id


def _copy(client: "MlflowClient", model_id: str, kept: Path) -> None:
    """Copy the model's files aside, then rename."""
    from mlflow.artifacts import download_artifacts

    kept.parent.mkdir(parents=True, exist_ok=True)
    aside = kept.with_name(f".{kept.name}")
    shutil.rmtree(aside, ignore_errors=True)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    location = client.get_logged_model(model_id).artifact_location
    found = download_artifacts(
        artifact_uri=location, dst_path=str(aside), tracking_uri=client.tracking_uri
    )
    try:
        Path(found).rename(kept)
    except OSError:
        if not kept.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
