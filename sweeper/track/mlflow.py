"""Runs in MLflow, through the explicit client: the fluent API is not thread-safe."""

import errno
import logging
import os
import re
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.addresses import move_credentials, sqlite_file
from sweeper.paths import file_name
from sweeper.records import DataUse, State, TrialRow
from sweeper.track.buffer import Buffer
from sweeper.track.datasets import dataset_input
from sweeper.track.mlflow_store import alone, import_store, knock, make_tables, usable
from sweeper.track.names import NOTE, clipped_tags, param_name, param_value, run_name, with_state
from sweeper.track.origin import origin_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Experiment, Metric, Param, Run, RunTag

_STATUS = {State.COMPLETE: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}
_ATTEMPTS = 3
_MADE_TWICE = re.compile("IntegrityError|UniqueViolation")
"""As SQLite, MySQL and PostgreSQL call it; the client itself tries a server again."""
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


def start_run(
    client: "MlflowClient", experiment_id: str, name: str, tags: Mapping[str, str], note: str = ""
) -> "MlflowRun":
    """Open a run; whoever opens it also ends it with :meth:`MlflowRun.end`.

    ``note`` describes it in Markdown; how the run stands is put before it.
    """
    described = {NOTE: with_state(note, "running")} if note else {}
    every = clipped_tags({**origin_tags(), **tags, **described})
    with usable(client.tracking_uri):
        run = client.create_run(experiment_id, tags=every, run_name=run_name(name))
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
            # one whose training had ended was opened again for its test
            orphan.end(row.state, row.reason, row.cause, ended=run.info.end_time)
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
    """A :class:`~sweeper.track.tracker.Tracker` that writes to one MLflow run.

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

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Record the images that the run uses, as inputs of MLflow."""
        self.flush()
        self._log_inputs([dataset_input(one) for one in data])

    def copy_data(self, other: "Run") -> None:
        """Record the images that ``other`` uses as those of this run."""
        if other.inputs is not None:
            self._log_inputs(other.inputs.dataset_inputs)

    def _log_inputs(self, inputs: Sequence["DatasetInput"]) -> None:
        from mlflow.exceptions import MlflowException

        with usable(self.client.tracking_uri):
            for attempt in range(_ATTEMPTS):
                try:
                    self.client.log_inputs(self.run_id, inputs)
                    return
                except MlflowException as error:
                    # trials that begin at once all make the data set, and one of them is refused
                    if attempt == _ATTEMPTS - 1 or not _MADE_TWICE.search(str(error)):
                        raise

    def end(
        self, state: State, reason: str = "", cause: str = "", ended: int | None = None
    ) -> None:
        """Close the run: ``sweeper.state .reason .cause``, description, and MLflow's own status.

        ``ended`` is when, in milliseconds since 1970, if not now.
        """
        tags = {"sweeper.state": str(state), "sweeper.reason": reason, "sweeper.cause": cause}
        self.set_tags({key: value for key, value in tags.items() if value})
        self._describe(f"{state}: {reason}" if reason else str(state))
        self.flush()
        with usable(self.client.tracking_uri):
            self.client.set_terminated(self.run_id, _STATUS[state], ended)

    def resume(self) -> None:
        """Open a run again that had been closed."""
        self._describe("running")
        self.flush()
        with usable(self.client.tracking_uri):
            self.client.update_run(self.run_id, status="RUNNING")

    def _describe(self, state: str) -> None:
        """Say ``state`` in the description, which a person may have changed; none stays none."""
        with usable(self.client.tracking_uri):
            note = self.client.get_run(self.run_id).data.tags.get(NOTE)
        if note is not None:
            self.set_tags({NOTE: with_state(note, state)})

    def _write(self, entries: Sequence["Metric | Param | RunTag"]) -> None:
        """Write ``entries`` together; the client makes several requests where they are too many."""
        from mlflow.entities import Metric, Param

        metrics = [entry for entry in entries if isinstance(entry, Metric)]
        params = [entry for entry in entries if isinstance(entry, Param)]
        # of one that was set again in the meantime, the last counts
        tags = {entry.key: entry for entry in entries if not isinstance(entry, Metric | Param)}
        with usable(self.client.tracking_uri):
            self.client.log_batch(self.run_id, metrics, params, list(tags.values()))
