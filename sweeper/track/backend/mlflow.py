"""An MLflow store is opened, and its experiments made, once among all processes."""

import logging
from typing import TYPE_CHECKING

from sweeper.addresses import move_credentials, sqlite_file
from sweeper.paths import file_name
from sweeper.track.backend.mlflow_store import alone, import_store, knock, make_tables, usable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


def connect(uri: str) -> "MlflowClient":
    """Client of the store at ``uri``; a sqlite database is created if need be.

    Raises:
        TrackerError: the store cannot be opened.
    """
    uri = move_credentials(uri)
    import_store(uri)
    from mlflow import MlflowClient

    # creating the tables is announced at INFO, on the screen
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with usable(uri):
        knock(uri)
        with alone(uri):
            file = sqlite_file(uri)
            if file is not None and "?" not in uri:
                make_tables(file)
            return MlflowClient(tracking_uri=uri)


def ensure_experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """Id of experiment ``name``; beside a sqlite database its artifacts go to ``artifacts/``.

    Raises:
        TrackerError: the store cannot be reached or refuses.
    """
    file = sqlite_file(uri)
    artifacts = file.absolute().parent / "artifacts" if file else None
    with usable(uri), alone(uri):
        known = client.get_experiment_by_name(name)
        if known is None:
            location = (artifacts / file_name(name)).as_uri() if artifacts else None
            known = _create_experiment(client, name, location)
    return str(known.experiment_id)


def _create_experiment(client: "MlflowClient", name: str, location: str | None) -> "Experiment":
    from mlflow.exceptions import MlflowException

    # without the tag the UI shows the views of a language-model project
    tags = {"mlflow.experimentKind": "custom_model_development"}
    try:
        return client.get_experiment(client.create_experiment(name, location, tags))
    except MlflowException:
        # a server has no lock for two that begin at once: the other one has made it
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return known
