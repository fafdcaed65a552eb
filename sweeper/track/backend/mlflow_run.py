"""Runs in MLflow, through the explicit client: the fluent API is not thread-safe."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.records import DataUse, State
from sweeper.track.backend.datasets import dataset_input
from sweeper.track.backend.mlflow_store import usable
from sweeper.track.backend.names import MAX_TAG, clipped_tags, run_name
from sweeper.track.backend.run_note import NOTE, rewritten, with_state

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run

_STATUS = {State.COMPLETE: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}
_ATTEMPTS = 3
_ROOM = 500
"""Characters of a description, for a reason that becomes part of the state later."""
_MADE_TWICE = re.compile("IntegrityError|UniqueViolation")
"""As SQLite, MySQL and PostgreSQL call it; the client itself tries a server again."""


def start_run(
    client: "MlflowClient",
    experiment_id: str,
    name: str,
    tags: Mapping[str, str],
    note: str = "",
    began: int | None = None,
) -> "MlflowRun":
    """Open a run; whoever opens it also ends it with :meth:`MlflowRun.end`.

    ``note`` describes it in Markdown; how the run stands is put before it. ``began`` is when, in
    milliseconds since 1970, if not now.
    """
    described = {NOTE: with_state(note, "running")} if note else {}
    every = clipped_tags({**tags, **described})
    with usable(client.tracking_uri):
        run = client.create_run(
            experiment_id, start_time=began, tags=every, run_name=run_name(name)
        )
    return MlflowRun(client, run.info.run_id)


def find_runs(
    client: "MlflowClient", experiment_id: str, tags: Mapping[str, str], status: str = ""
) -> "list[Run]":
    """The runs that have all of ``tags``, and ``status`` where it is given; the oldest first."""
    wanted = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    wanted += [f"attributes.status = '{status}'"] if status else []
    found: list[Run] = []
    token = None
    with usable(client.tracking_uri):
        while True:
            page = client.search_runs(
                [experiment_id],
                " and ".join(wanted),
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return found


def end_others(
    client: "MlflowClient",
    experiment_id: str,
    parent_id: str,
    ends: Mapping[str, Sequence[str]],
) -> None:
    """Close the runs below ``parent_id`` that a controller left open when it died.

    ``ends`` has state, reason and cause of each by its trial's number.
    """
    for run in find_runs(client, experiment_id, {"mlflow.parentRunId": parent_id}, "RUNNING"):
        end = ends.get(run.data.tags.get("sweeper.trial_number", ""))
        if end is not None:
            state, reason, cause = end
            MlflowRun(client, run.info.run_id).end(State(state), reason, cause)


class MlflowRun:
    """One run in MLflow. Each method may be called again with the same, which changes nothing.

    Every method raises :class:`~sweeper.errors.TrackerError` where the store cannot be used.
    """

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    def look(self) -> "Run":
        """The run as the store has it."""
        with usable(self.client.tracking_uri):
            return self.client.get_run(self.run_id)

    def write(
        self,
        metrics: Sequence["Metric"],
        params: Sequence["Param"] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Record these together; the client makes several requests where they are too many.

        A metric that is there already, with its time stamp, stays once: in MLflow's databases run,
        name, time, step and value are its key.
        """
        from mlflow.entities import RunTag

        marks = [RunTag(key, value) for key, value in clipped_tags(tags or {}).items()]
        with usable(self.client.tracking_uri):
            self.client.log_batch(self.run_id, metrics, params, marks)

    def log_file(self, path: Path, folder: str) -> None:
        """Upload ``path`` to the run's ``folder``."""
        with usable(self.client.tracking_uri):
            self.client.log_artifact(self.run_id, str(path), folder)

    def delete(self) -> None:
        """Remove the run, as a person would; MLflow can restore it."""
        with usable(self.client.tracking_uri):
            self.client.delete_run(self.run_id)

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Record the images that the run uses, as inputs of MLflow."""
        from mlflow.exceptions import MlflowException

        inputs = [dataset_input(one) for one in data]
        with usable(self.client.tracking_uri):
            for attempt in range(_ATTEMPTS):
                try:
                    self.client.log_inputs(self.run_id, inputs)
                    return
                except MlflowException as error:
                    # who records the same data set at once makes it too, and one is refused
                    if attempt == _ATTEMPTS - 1 or not _MADE_TWICE.search(str(error)):
                        raise

    def describe(self, text: str) -> None:
        """Put ``text`` into the description; see :mod:`sweeper.track.backend.run_note`."""
        note = self.look().data.tags.get(NOTE)
        if note is not None:  # else a person has removed it
            self.write((), tags={NOTE: rewritten(note, text, MAX_TAG - _ROOM)})

    def end(
        self, state: State, reason: str = "", cause: str = "", ended: int | None = None
    ) -> None:
        """Close the run: ``sweeper.state .reason .cause``, description, and MLflow's own status.

        ``ended`` is when, in milliseconds since 1970, if not now.
        """
        tags = {"sweeper.state": str(state), "sweeper.reason": reason, "sweeper.cause": cause}
        tags = {key: value for key, value in tags.items() if value}
        self.write((), tags=tags | self._described(f"{state}: {reason}" if reason else str(state)))
        with usable(self.client.tracking_uri):
            self.client.set_terminated(self.run_id, _STATUS[state], ended)

    def resume(self) -> None:
        """Open a run again that had been closed."""
        self.write((), tags=self._described("running"))
        with usable(self.client.tracking_uri):
            self.client.update_run(self.run_id, status="RUNNING")

    def _described(self, state: str) -> dict[str, str]:
        """The description that says ``state``. A person may have changed it; none stays none."""
        note = self.look().data.tags.get(NOTE)
        return {} if note is None else {NOTE: with_state(note, state)}
