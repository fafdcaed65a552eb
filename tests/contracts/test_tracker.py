"""What every tracker must do, subclassed once for each."""

import json
import math
import shutil
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mlflow.data
import pytest
from disks import file_limit
from mlflow_servers import mlflow_server
from servers import postgres

from sweeper.addresses import sqlite_url
from sweeper.errors import SweeperError, TrackerError
from sweeper.records import DataUse, State
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.study_files.result import Status, read_result
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.backend.mlflow import _create_experiment, connect, ensure_experiment
from sweeper.track.backend.mlflow_model import log_model
from sweeper.track.backend.mlflow_run import MlflowRun, end_others, find_runs, start_run
from sweeper.track.backend.mlflow_store import Refused, absolute_uri
from sweeper.track.backend.origin import _checkout_tags, origin_tags
from sweeper.track.backend.run_note import KEPT
from sweeper.track.delivered import read_delivered
from sweeper.track.journal import Journal, NewRun, data_of
from sweeper.track.local import LocalTracker
from sweeper.track.outbox import Outbox
from sweeper.track.store import Store
from sweeper.track.tracker import NullTracker, Tracker

USED = [
    DataUse("pets", "1f", "training", Path("/data/pets"), 80, 2),
    DataUse("pets", "2f", "test", "a program", 20, 2),
]


def test_a_database_is_not_left_half_made(tmp_path: Path) -> None:
    """Of its 800 kB of tables MLflow cannot continue what a full disk, or a kill, ended."""
    file = tmp_path / "mlflow.db"
    uri = sqlite_url(file)
    with file_limit(300_000), pytest.raises(TrackerError, match="disk"):
        connect(uri)
    assert list(tmp_path.iterdir()) == []
    left = tmp_path / ".mlflow.db.new-killed"
    left.mkdir()
    (left / file.name).write_bytes(b"half of a database")
    file.touch()  # as SQLite leaves it when it is killed at once
    ensure_experiment(connect(uri), uri, "one")
    assert list(tmp_path.iterdir()) == [file]


def test_a_database_is_made_where_a_link_to_it_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "mlflow.db"
    link.symlink_to(tmp_path / "disk" / "runs.db")
    ensure_experiment(connect(sqlite_url(link)), sqlite_url(link), "one")
    assert link.is_symlink()
    assert link.stat().st_size > 0


class TrackerContract(ABC):
    @pytest.fixture
    @abstractmethod
    def tracker(self, tmp_path: Path) -> Tracker:
        """A tracker with nothing recorded."""

    def test_it_takes_params_metrics_tags_and_files(self, tracker: Tracker, tmp_path: Path) -> None:
        file = tmp_path / "file.txt"
        file.write_text("content")
        tracker.log_params({"a.b": 1, "c": None, "long": "x" * 3000})
        tracker.log_epoch({"loss": 0.5, "phase": 0}, 0, "frozen", None)
        tracker.log_epoch({"loss": 0.4, "phase": 1}, 1, "unfrozen", None)
        tracker.log_epoch({"loss": math.inf}, 1, "unfrozen", 2)
        tracker.log_metrics({"best_epoch": 1}, step=1)
        tracker.set_tags({"sanity": "ok"})
        tracker.set_tags({"sanity": "high", "long": "y" * 9000})
        tracker.log_data(USED)
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


class TestLocalTracker(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> Tracker:
        self.paths = TrialPaths(tmp_path)
        return LocalTracker(self.paths)

    def check(self, tracker: Tracker) -> None:
        assert isinstance(tracker, LocalTracker)
        lines = [json.loads(line) for line in self.paths.metrics.read_text().splitlines()]
        assert [(one["step"], one["phase"], one["fold"], one["metrics"]) for one in lines] == [
            (0, "frozen", None, {"loss": 0.5, "phase": 0}),
            (1, "unfrozen", None, {"loss": 0.4, "phase": 1}),
            (1, "unfrozen", 2, {"loss": math.inf}),
        ]
        assert not self.paths.result.exists()
        tracker.end(Status.COMPLETE, "", {"val_loss": 0.25})
        result = read_result(self.paths.result)
        assert result is not None
        assert (result.state, result.objectives) == (Status.COMPLETE, {"val_loss": 0.25})
        assert (result.best_epoch, result.sanity) == (1, "high")
        assert result.metrics["loss"] == 0.4
        assert result.metrics["fold2/loss"] == math.inf
        assert result.started <= result.ended


class TestJournal(TrackerContract):
    @pytest.fixture
    def uri(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/mlruns/mlflow.db"

    @pytest.fixture
    def tracker(self, uri: str, tmp_path: Path) -> Tracker:
        self.store = Store(uri)
        return self.begun(tmp_path / "trial")

    def begun(self, folder: Path, note: str = "") -> Journal:
        journal = Journal(TrialPaths(folder).mlflow)
        found_by = {"sweeper.role": "trial", "id": str(folder)}
        journal.start(NewRun(self.store.uri, "one", "run", found_by, {}, note))
        return journal

    def deliver(self, journal: Journal) -> Any:
        """The run in MLflow, as far as it is written."""
        for _ in Outbox(journal.paths).deliver(self.store):
            pass
        return self.store.client.get_run(read_delivered(journal.paths).run_id)

    artifacts = "/mlruns/artifacts/one/"

    def check(self, tracker: Tracker) -> None:
        assert isinstance(tracker, Journal)
        run, client = self.deliver(tracker), self.store.client
        assert run.data.params["a.b"] == "1"
        assert run.data.params["c"] == "null"
        assert run.data.metrics.pop("fold2/loss") > 1e300  # databases keep no infinity
        assert run.data.metrics == {"loss": 0.4, "phase": 1.0, "best_epoch": 1}
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.4)]
        assert run.data.tags["sanity"] == "high"
        assert run.data.tags["sweeper.role"] == "trial"
        assert run.data.tags["mlflow.source.type"] == "LOCAL"
        assert [file.path for file in client.list_artifacts(run.info.run_id, "logs")] == [
            "logs/file.txt"
        ]
        assert self.artifacts in run.info.artifact_uri
        inputs = {one.dataset.digest: one for one in run.inputs.dataset_inputs}
        assert {one.dataset.name for one in inputs.values()} == {"pets"}
        assert [inputs[use.digest].tags[0].value for use in USED] == ["training", "test"]
        sizes = [json.loads(inputs[use.digest].dataset.profile)["num_rows"] for use in USED]
        assert sizes == [80, 20]
        training, test = (mlflow.data.get_source(inputs[use.digest]) for use in USED)
        assert training.uri == "/data/pets"
        assert test.to_dict()["tags"] == {"mlflow.source.name": "a program"}
        assert data_of(tracker.entries()) == USED

    def test_what_is_sent_again_changes_nothing(self, tracker: Tracker, tmp_path: Path) -> None:
        """As after an answer that was lost: the state says less than the store has."""
        assert isinstance(tracker, Journal)
        self.test_it_takes_params_metrics_tags_and_files(tracker, tmp_path)
        tracker.log_metrics({"nan": math.nan}, 3)
        tracker.end(State.COMPLETE)
        once = self.deliver(tracker)
        for kept in (read_delivered(tracker.paths).start, None):
            if kept is None:  # not even that the run was opened
                tracker.paths.delivered.unlink()
            else:
                state = replace(read_delivered(tracker.paths), offset=kept)
                tracker.paths.delivered.write_text(json.dumps(asdict(state)))
            again = self.deliver(tracker)
            assert again.info == once.info
            assert again.data.tags == once.data.tags
            assert again.data.params == once.data.params
            assert len(again.inputs.dataset_inputs) == len(USED)
            for name in once.data.metrics:
                history = self.store.client.get_metric_history(once.info.run_id, name)
                assert len(history) == {"loss": 2, "phase": 2}.get(name, 1), name

    def test_its_description_begins_with_how_it_stands(
        self, tracker: Tracker, tmp_path: Path
    ) -> None:
        assert isinstance(tracker, Journal)

        def note(journal: Journal) -> str | None:
            found = self.deliver(journal).data.tags.get("mlflow.note.content")
            return None if found is None else str(found)

        tracker.end(State.COMPLETE)
        assert note(tracker) is None
        text = "One | two.\n\nThree."
        journal = self.begun(tmp_path / "described", text)
        assert note(journal) == f"**State:** running\n\n{text}"
        journal.end(State.PRUNED, "far\nbehind")
        assert note(journal) == f"**State:** pruned: far behind\n\n{text}"
        again = self.begun(tmp_path / "described", "another")
        assert note(again) == f"**State:** running\n\n{text}"
        journal.set_tags({"mlflow.note.content": "what a person wrote"})
        self.deliver(journal)
        journal.end(State.COMPLETE)
        assert note(journal) == "**State:** complete\n\nwhat a person wrote"

    def test_its_description_is_written_again_with_links_to_pages(
        self, tracker: Tracker, tmp_path: Path
    ) -> None:
        journal = self.begun(tmp_path / "study", f"A study.\n\n{KEPT}")
        trials = [tmp_path / "study" / "trials" / str(number) for number in range(2)]
        runs = [self.deliver(self.begun(trial)).info for trial in trials]
        for text in ("first", "[a](run:0) [b](run:1) [c](run:/artifacts/d) [e](experiment:/runs)"):
            journal.describe(text, dict(enumerate(trials)))
        journal.end(State.COMPLETE)
        run = self.deliver(journal)
        place = f"#/experiments/{run.info.experiment_id}/runs"
        assert run.data.tags["mlflow.note.content"] == (
            f"**State:** complete\n\n[a]({place}/{runs[0].run_id}) [b]({place}/{runs[1].run_id}) "
            f"[c]({place}/{run.info.run_id}/artifacts/d) [e]({place})\n\n{KEPT}"
        )

    def test_it_begins_and_ends_when_that_was_written(self, tracker: Tracker) -> None:
        assert isinstance(tracker, Journal)
        tracker.end(State.COMPLETE)
        start, end = tracker.entries()
        info = self.deliver(tracker).info
        assert (info.start_time, info.end_time) == (start.time, end.time)

    def test_more_than_one_request_takes_is_recorded(self, tracker: Tracker) -> None:
        assert isinstance(tracker, Journal)
        tracker.log_params({f"parameter {n}": n for n in range(230)})
        tracker.set_tags({f"tag {n}": str(n) for n in range(130)})
        tracker.log_metrics({f"metric {n}": float(n) for n in range(1700)}, step=0)
        data = self.deliver(tracker).data
        assert {f"parameter {n}": str(n) for n in range(230)}.items() <= data.params.items()
        assert {f"tag {n}": str(n) for n in range(130)}.items() <= data.tags.items()
        assert data.metrics == {f"metric {n}": float(n) for n in range(1700)}

    def test_entries_that_wait_share_requests(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(tracker, Journal)
        requests = []
        log_batch = self.store.client.log_batch
        monkeypatch.setattr(
            self.store.client, "log_batch", lambda *a, **b: (requests.append(a), log_batch(*a, **b))
        )
        for epoch in range(12):
            tracker.log_metrics({"loss": 1.0 / (1 + epoch)}, step=epoch)
            tracker.set_tags({"sanity": f"of epoch {epoch}"})
        run = self.deliver(tracker)
        assert len(requests) == 1
        history = self.store.client.get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in history] == list(range(12))
        assert run.data.tags["sanity"] == "of epoch 11"

    @pytest.mark.parametrize(
        ("state", "status"),
        [(State.COMPLETE, "FINISHED"), (State.PRUNED, "KILLED"), (State.FAILED, "FAILED")],
    )
    def test_its_end_is_recorded_in_tags_and_status(
        self, tracker: Tracker, state: State, status: str, tmp_path: Path
    ) -> None:
        assert isinstance(tracker, Journal)
        tracker.end(state, "because", "oom" if state is State.FAILED else "")
        run = self.deliver(tracker)
        assert run.info.status == status
        assert run.data.tags["sweeper.state"] == state
        assert run.data.tags["sweeper.reason"] == "because"
        assert run.data.tags.get("sweeper.cause") == ("oom" if state is State.FAILED else None)
        again = self.deliver(self.begun(tmp_path / "trial"))
        assert (again.info.run_id, again.info.status) == (run.info.run_id, "RUNNING")

    def test_a_run_below_another_is_delivered_after_it(
        self, tracker: Tracker, tmp_path: Path
    ) -> None:
        assert isinstance(tracker, Journal)
        above, below = {"sweeper.study_id": "s"}, {"sweeper.trial_number": "0"}
        trial, study = Journal(MlflowPaths(tmp_path / "a")), Journal(MlflowPaths(tmp_path / "b"))
        trial.start(NewRun(self.store.uri, "below", "trial", below, {}, "", above))
        study.start(NewRun(self.store.uri, "below", "study", above, {}, ""))
        with pytest.raises(TrackerError, match="the run above trial is not in MLflow"):
            self.deliver(trial)
        study_run = self.deliver(study)
        assert self.deliver(trial).data.tags["mlflow.parentRunId"] == study_run.info.run_id
        study.end_others({0: (State.FAILED, "interrupted", "")})
        self.deliver(study)
        assert self.deliver(trial).info.status == "FAILED"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow server with a database and an artifact store of its own."""
    with mlflow_server(tmp_path_factory.mktemp("server")) as made:
        yield made.url


@pytest.mark.slow
@pytest.mark.more
class TestJournalOnAServer(TestJournal):
    @pytest.fixture
    def uri(self, server: str) -> str:
        return server

    artifacts = "mlflow-artifacts:/"


@pytest.fixture(scope="module")
def server_on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("on_postgres")
    with postgres(folder) as store, mlflow_server(folder, store) as made:
        yield made.url


@pytest.mark.slow
@pytest.mark.more
class TestJournalOnAServerWithPostgres(TestJournal):
    @pytest.fixture
    def uri(self, server_on_postgres: str) -> str:
        return server_on_postgres

    artifacts = "mlflow-artifacts:/"


USES: dict[str, Callable[[MlflowRun], object]] = {
    "write": lambda run: run.write((), tags={"a": "b"}),
    "end": lambda run: run.end(State.COMPLETE),
    "log_data": lambda run: run.log_data(USED),
    "resume": lambda run: run.resume(),
    "delete": lambda run: run.delete(),
    "log_model": lambda run: log_model(run.client, run.run_id, Path()),
    "start_run": lambda run: start_run(run.client, "1", "other", {}),
    "find_runs": lambda run: find_runs(run.client, "1", {"a": "b"}),
    "end_others": lambda run: end_others(run.client, "1", "parent", {}),
}


@pytest.mark.more
@pytest.mark.parametrize("use", USES)
def test_a_store_that_breaks_later_is_named_in_one_sentence(use: str, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(uri)
    run = start_run(client, ensure_experiment(client, uri, "one"), "run", {})
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(TrackerError, match=f"^MLflow at {uri} cannot be used: .*tracking.uri="):
        USES[use](run)


def test_what_is_refused_is_distinguished_from_what_fails(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(uri)
    run = start_run(client, ensure_experiment(client, uri, "one"), "run", {})
    with pytest.raises(Refused) as absent:
        MlflowRun(client, "0" * 32).look()
    assert absent.value.absent
    run.delete()
    with pytest.raises(Refused, match="active") as refused:
        run.write((), tags={"a": "b"})
    assert not refused.value.absent


def test_a_store_that_cannot_be_used_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(SweeperError, match=r"MLflow at sqlite:.* cannot be used.*tracking.uri="):
        ensure_experiment(connect(uri), uri, "one")


def test_a_server_that_does_not_answer_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound, but nobody listens
        uri = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(SweeperError, match=f"MLflow at {uri} cannot be used"):
            connect(uri)


def test_relative_databases_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a/b.db") == f"sqlite:///{tmp_path}/a/b.db"
    assert absolute_uri(f"sqlite:///{tmp_path}/b.db") == f"sqlite:///{tmp_path}/b.db"
    assert absolute_uri("http://127.0.0.1:1") == "http://127.0.0.1:1"


def test_trials_that_begin_at_once_record_the_same_images(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(uri)
    experiment = ensure_experiment(client, uri, "one")
    runs = [start_run(client, experiment, f"run {number}", {}) for number in range(4)]
    barrier = threading.Barrier(len(runs))

    def log(run: MlflowRun) -> None:
        barrier.wait()
        run.log_data(USED)

    with ThreadPoolExecutor(len(runs)) as threads:
        list(threads.map(log, runs))
    for run in runs:
        assert len(client.get_run(run.run_id).inputs.dataset_inputs) == len(USED)


def test_the_commit_is_that_of_the_folder_in_which_a_run_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    commit = "mlflow.source.git.commit"
    inner = tmp_path / "work" / "recipes"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)

    def tags() -> dict[str, str]:
        """As another process finds them."""
        _checkout_tags.cache_clear()
        return origin_tags()

    none = {"mlflow.source.name": "python -m sweeper", "mlflow.source.type": "LOCAL"}
    assert tags() == none
    git(tmp_path / "work", "init")
    assert commit not in tags()  # nothing is committed yet
    recipe = inner / "mine.yaml"
    recipe.write_text("seed: 1\n")
    git(inner, "add", ".")
    git(inner, "-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-m", "First")
    made = git(inner, "rev-parse", "HEAD").strip()
    dirty = "mlflow.source.git.dirty"
    assert tags() == {**none, commit: made, dirty: "false"}
    (inner / "results").touch()  # no file of the commit
    assert tags()[dirty] == "false"
    recipe.write_text("seed: 2\n")
    assert tags() == {**none, commit: made, dirty: "true"}
    monkeypatch.setenv("PATH", "")
    assert tags() == none
    monkeypatch.setattr("os.getcwd", deleted_folder)
    assert tags() == none


def git(folder: Path, *command: str) -> str:
    return subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def deleted_folder() -> str:
    raise FileNotFoundError


RACE = """
import multiprocessing, sys
from sweeper.track.backend.mlflow import connect, ensure_experiment, import_store
from sweeper.track.backend.mlflow_run import start_run

def begin(uri, barrier):
    barrier.wait()
    client = connect(uri)
    start_run(client, ensure_experiment(client, uri, "one"), "run", {})

if __name__ == "__main__":
    import_store(sys.argv[1])
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)
    all_of_them = [fork.Process(target=begin, args=(sys.argv[1], barrier)) for _ in range(4)]
    for process in all_of_them:
        process.start()
    for process in all_of_them:
        process.join()
    sys.exit(sum(process.exitcode != 0 for process in all_of_them))
"""


@pytest.mark.more
@pytest.mark.slow
def test_processes_that_begin_at_once_make_the_tables_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, f"sqlite:///{tmp_path}/new/mlflow.db"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["mlflow.db"]


def test_an_experiment_that_another_process_has_just_made_is_taken(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(uri)
    made = ensure_experiment(client, uri, "one")
    assert _create_experiment(client, "one", None).experiment_id == made


@pytest.mark.parametrize(
    "name",
    [
        "../../up",
        *(
            pytest.param(name, marks=pytest.mark.more)
            for name in ("%2e#?", "/Users/me/dogs", "a b", "..", "x" * 400)
        ),
    ],
)
def test_artifacts_lie_beside_the_database_whatever_names_there_are(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my%20photos? #1 [old] {x}" / "mlruns"
    uri = absolute_uri(sqlite_url(folder / "mlflow.db"))
    client = connect(uri)
    run = start_run(client, ensure_experiment(client, uri, name), "run", {})
    (tmp_path / "log.txt").write_text("words")
    run.log_file(tmp_path / "log.txt", "logs")
    assert sorted(path.name for path in folder.iterdir()) == ["artifacts", "mlflow.db"]
    (kept,) = folder.glob("artifacts/*/*/artifacts/logs/log.txt")
    assert kept.read_text() == "words"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.txt", folder.parent.name]


def test_names_of_classes_become_names_of_parameters(tmp_path: Path) -> None:
    names = [
        "Corn_(maize)___healthy", "Corn_[maize]___healthy", "Pepper,_bell", "cat's & dog's",
        "a//b", "a/../b", "/a", "..", "", "größe", "100%", "x" * 300, "x" * 301, "\n", "a/", "a\\b",
    ]  # fmt: skip
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    journal = Journal(MlflowPaths(tmp_path / "mlflow"))
    journal.start(NewRun(uri, "one", "n" * 300, {"a": "b"}, {}, ""))
    journal.log_params({f"loss.class_weight.{name}": index for index, name in enumerate(names)})
    journal.log_params({name: index for index, name in enumerate(names)})
    journal.log_params({"loss.class_weight.plain": 1, "long": "y" * 7000})
    journal.set_tags({f"searched.{name}": str(index) for index, name in enumerate(names)})
    for _ in Outbox(journal.paths).deliver(Store(uri)):
        pass
    (run,) = connect(uri).search_runs(["1"])
    assert len([tag for tag in run.data.tags if tag.startswith("searched.")]) == len(names)
    params = run.data.params
    assert len(params) == 2 * len(names) + 2
    assert params["loss.class_weight.plain"] == "1"
    assert params["loss.class_weight.größe"] == str(names.index("größe"))
    assert params["long"].startswith("yyy")
    assert params["long"].endswith("... (7000 characters; all are in config/config.yaml)")
