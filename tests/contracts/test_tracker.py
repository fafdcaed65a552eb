"""What every tracker must do, subclassed once for each."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from sweeper.records import State
from sweeper.track.base import NullTracker, Tracker
from sweeper.track.mlflow import MlflowRun, absolute_uri, connect, ensure_experiment, start_run


class TrackerContract(ABC):
    @pytest.fixture
    @abstractmethod
    def tracker(self, tmp_path: Path) -> Tracker:
        """A tracker with nothing recorded."""

    def test_it_takes_params_metrics_tags_and_files(self, tracker: Tracker, tmp_path: Path) -> None:
        file = tmp_path / "file.txt"
        file.write_text("content")
        tracker.log_params({"a.b": 1, "c": None, "long": "x" * 3000})
        tracker.log_metrics({"loss": 0.5, "phase": 0}, step=0)
        tracker.log_metrics({"loss": 0.4, "phase": 1}, step=1)
        tracker.set_tags({"sanity": "ok"})
        tracker.set_tags({"sanity": "high", "long": "y" * 9000})
        tracker.log_file(file, "logs")
        self.check(tracker)

    @abstractmethod
    def check(self, tracker: Tracker) -> None:
        """Look at what was recorded."""


class TestNullTracker(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> Tracker:
        return NullTracker()

    def check(self, tracker: Tracker) -> None:
        assert vars(tracker) == {}


class TestMlflowRun(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> Tracker:
        uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
        client = connect(uri)
        experiment = ensure_experiment(client, uri, "one")
        assert ensure_experiment(client, uri, "one") == experiment
        return start_run(client, experiment, "run", {"sweeper.role": "trial"})

    def check(self, tracker: Tracker) -> None:
        assert isinstance(tracker, MlflowRun)
        run = tracker.client.get_run(tracker.run_id)
        assert run.data.params["a.b"] == "1"
        assert run.data.params["c"] == "None"
        assert run.data.metrics == {"loss": 0.4, "phase": 1.0}
        history = tracker.client.get_metric_history(tracker.run_id, "loss")
        assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.4)]
        assert run.data.tags["sanity"] == "high"
        assert run.data.tags["sweeper.role"] == "trial"
        assert [file.path for file in tracker.client.list_artifacts(tracker.run_id, "logs")] == [
            "logs/file.txt"
        ]
        assert "/mlruns/artifacts/one/" in run.info.artifact_uri

    @pytest.mark.parametrize(
        ("state", "status"),
        [(State.COMPLETE, "FINISHED"), (State.PRUNED, "KILLED"), (State.FAILED, "FAILED")],
    )
    def test_its_end_is_told_in_tags_and_status(
        self, tracker: Tracker, state: State, status: str
    ) -> None:
        assert isinstance(tracker, MlflowRun)
        tracker.end(state, "because")
        run = tracker.client.get_run(tracker.run_id)
        assert run.info.status == status
        assert run.data.tags["sweeper.state"] == state
        assert run.data.tags["sweeper.reason"] == "because"
        tracker.resume()
        assert tracker.client.get_run(tracker.run_id).info.status == "RUNNING"


def test_relative_databases_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a/b.db") == f"sqlite:///{tmp_path}/a/b.db"
    assert absolute_uri(f"sqlite:///{tmp_path}/b.db") == f"sqlite:///{tmp_path}/b.db"
    assert absolute_uri("http://127.0.0.1:1") == "http://127.0.0.1:1"
