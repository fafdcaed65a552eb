"""The MLflow store that runs are delivered to, opened when it is first needed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sweeper.addresses import redact, sqlite_file
from sweeper.disk.watched_files import WatchedFiles
from sweeper.errors import TrackerError
from sweeper.track.backend.mlflow import connect, ensure_experiment
from sweeper.track.backend.mlflow_run import MlflowRun, find_runs, start_run
from sweeper.track.backend.mlflow_store import Refused, absolute_uri, answers
from sweeper.track.journal import NewRun

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Store:
    """One store, for one thread at a time.

    Methods raise :class:`~sweeper.errors.TrackerError` where it cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self.uri = absolute_uri(uri)
        self._client: MlflowClient | None = None
        self._watched = WatchedFiles()
        self._experiments: dict[str, str] = {}
        self._parents: dict[tuple[str, ...], str] = {}

    @property
    def client(self) -> "MlflowClient":
        """The client; the first time, the store is opened."""
        if self._client is None:
            self._client = connect(self.uri)
            file = sqlite_file(self.uri)
            self._watched = WatchedFiles([file] if file else [])
        lost = self._watched.lost()
        if lost is not None:
            cause = f"{lost} was deleted, moved or replaced; put it back"
            named = f"MLflow at {redact(self.uri)}"
            raise TrackerError(f"{named} cannot be used: {cause}", cause)
        return self._client

    def answers(self) -> bool:
        """Whether it is there, asked without changing anything."""
        return self._watched.lost() is None and answers(self.uri)

    def experiment(self, name: str) -> str:
        """Id of an experiment, made if need be."""
        if name not in self._experiments:
            self._experiments[name] = ensure_experiment(self.client, self.uri, name)
        return self._experiments[name]

    def run(self, run_id: str) -> MlflowRun | None:
        """A run that was opened, None where the store has it no more."""
        run = MlflowRun(self.client, run_id)
        try:
            run.look()
        except Refused as error:
            if error.absent:
                return None
            raise
        return run

    def find(self, new: NewRun) -> list[MlflowRun]:
        """The runs that are ``new``: one, or several where an answer was lost; the oldest first."""
        found = find_runs(self.client, self.experiment(new.experiment), new.found_by)
        return [MlflowRun(self.client, run.info.run_id) for run in found]

    def create(self, new: NewRun, began: int) -> MlflowRun:
        """Open a run that is not there yet; ``began`` is in milliseconds since 1970."""
        tags = {**new.found_by, **new.tags}
        if new.parent:
            tags["mlflow.parentRunId"] = self._parent(new)
        experiment = self.experiment(new.experiment)
        return start_run(self.client, experiment, new.name, tags, new.note, began)

    def _parent(self, new: NewRun) -> str:
        """Id of the run above ``new``, which is delivered before it."""
        key = tuple(f"{name}={value}" for name, value in sorted(new.parent.items()))
        if key not in self._parents:
            found = self.find(_above(new, new.parent))
            if not found:
                raise TrackerError(f"the run above {new.name} is not in MLflow at {self.uri} yet")
            self._parents[key] = found[0].run_id
        return self._parents[key]


def _above(new: NewRun, tags: Mapping[str, str]) -> NewRun:
    return NewRun(new.uri, new.experiment, "", tags, {}, "")
