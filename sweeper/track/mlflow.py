"""Runs in MLflow, through the explicit client: the fluent API is not thread-safe."""

import errno
import logging
import os
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.addresses import move_credentials, sqlite_file
from sweeper.paths import file_name
from sweeper.records import State, TrialRow
from sweeper.track.buffer import Buffer
from sweeper.track.names import clipped_tags, param_name, param_value, run_name
from sweeper.track.store import alone, import_store, knock, usable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Metric, Param, RunTag

_STATUS = {State.COMPLETE: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}
_SECONDS_BETWEEN_WRITES = 1.0
"""A request takes 15 to 30 ms, as long as an epoch on cached features does (2 slow cores)."""


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


def start_run(
    client: "MlflowClient", experiment_id: str, name: str, tags: Mapping[str, str]
) -> "MlflowRun":
    """Open a run; whoever opens it also ends it with :meth:`MlflowRun.end`."""
    with usable(client.tracking_uri):
        run = client.create_run(experiment_id, tags=clipped_tags(tags), run_name=run_name(name))
    return MlflowRun(client, run.info.run_id)


def find_run(
    client: "MlflowClient", experiment_id: str, tags: Mapping[str, str]
) -> "MlflowRun | None":
    """The run that has all of ``tags``, or None where the store has none."""
    wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    with usable(client.tracking_uri):
        found = client.search_runs([experiment_id], wanted, max_results=1)
    return MlflowRun(client, found[0].info.run_id) if found else None


def end_orphans(
    client: "MlflowClient",
    experiment_id: str,
    parent_id: str,
    rows: Iterable[TrialRow],
    running: Container[int] | None = None,
) -> None:
    """Close the runs below ``parent_id`` that a controller left open when it died.

    One of a trial in ``rows`` ends as the trial did. The others were interrupted, unless the trial
    is in ``running``, under another controller now; None where that is not known.
    """
    ended = {row.number: row for row in rows}
    of_study = f"tags.`mlflow.parentRunId` = '{parent_id}' and attributes.status = 'RUNNING'"
    with usable(client.tracking_uri):
        left = client.search_runs([experiment_id], of_study)
    for run in left:
        number = int(run.data.tags.get("sweeper.trial_number", -1))
        orphan = MlflowRun(client, run.info.run_id)
        if number in ended:
            row = ended[number]
            orphan.end(row.state, row.reason, row.cause)
        elif running is not None and number not in running:
            orphan.end(State.FAILED, "interrupted")


def metrics_below(
    client: "MlflowClient", experiment_id: str, parent_id: str
) -> dict[int, Mapping[str, float]]:
    """The last metrics of each trial's run below ``parent_id``, by the number of the trial."""
    found: dict[int, Mapping[str, float]] = {}
    token = None
    with usable(client.tracking_uri):
        while True:
            below = f"tags.`mlflow.parentRunId` = '{parent_id}'"
            page = client.search_runs([experiment_id], below, page_token=token)
            found |= {int(run.data.tags["sweeper.trial_number"]): run.data.metrics for run in page}
            token = page.token
            if not token:
                return found


class MlflowRun:
    """A :class:`~sweeper.track.base.Tracker` that writes to one MLflow run.

    Parameters, metrics and tags are written at once after a pause, and together, once a second,
    where they come faster. Files, :meth:`end` and :meth:`flush` write all that came before them; a
    process that is killed may lose what its last second brought.

    Every method raises :class:`~sweeper.errors.TrackerError` where the store cannot be used, which
    may be that of an earlier call.
    """

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self._buffer: Buffer[Metric | Param | RunTag] = Buffer(self._write, _SECONDS_BETWEEN_WRITES)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record ``params``; values become text, and names and texts what MLflow keeps."""
        from mlflow.entities import Param

        self._buffer.add(
            Param(param_name(key), param_value(value)) for key, value in params.items()
        )

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record all of ``metrics`` at ``step``."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._buffer.add(Metric(key, float(value), now, step) for key, value in metrics.items())

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace ``tags``."""
        from mlflow.entities import RunTag

        self._buffer.add(RunTag(key, value) for key, value in clipped_tags(tags).items())

    def flush(self) -> None:
        """Write what waits."""
        self._buffer.flush()

    def log_file(self, path: Path, folder: str) -> None:
        """Upload ``path`` to the run's ``folder``."""
        self.flush()
        if not path.is_file():  # not for the store to answer for
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        with usable(self.client.tracking_uri):
            self.client.log_artifact(self.run_id, str(path), folder)

    def end(self, state: State, reason: str = "", cause: str = "") -> None:
        """Close the run: ``sweeper.state .reason .cause``, and MLflow's own status."""
        tags = {"sweeper.state": str(state), "sweeper.reason": reason, "sweeper.cause": cause}
        self.set_tags({key: value for key, value in tags.items() if value})
        self.flush()
        with usable(self.client.tracking_uri):
            self.client.set_terminated(self.run_id, _STATUS[state])

    def resume(self) -> None:
        """Open a run again that had been closed."""
        with usable(self.client.tracking_uri):
            self.client.update_run(self.run_id, status="RUNNING")

    def _write(self, entries: Sequence["Metric | Param | RunTag"]) -> None:
        """Write ``entries`` together; the client makes several requests where they are too many."""
        from mlflow.entities import Metric, Param

        metrics = [entry for entry in entries if isinstance(entry, Metric)]
        params = [entry for entry in entries if isinstance(entry, Param)]
        # of one that was set again in the meantime, the last counts
        tags = {entry.key: entry for entry in entries if not isinstance(entry, Metric | Param)}
        with usable(self.client.tracking_uri):
            self.client.log_batch(self.run_id, metrics, params, list(tags.values()))
