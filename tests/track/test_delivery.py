"""Whatever a real server does, it gets each entry once, in order; nobody waits for it."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow_servers import MlflowServer, Proxy, mlflow_server, proxy
from patience import PATIENCE

from sweeper.app.outstanding import sync
from sweeper.errors import SweeperError, TrackerError
from sweeper.records import DataUse, State
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.delivered import read_delivered
from sweeper.track.delivery import Delivery
from sweeper.track.journal import Journal, NewRun
from sweeper.track.outbox import MISSING

EPOCHS = 5
FAILS_FOR_GOOD = 0.2
"""Seconds to wait for a server of which the test knows that it will not answer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def front(server: MlflowServer) -> Iterator[Proxy]:
    with proxy(server.url) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setattr("sweeper.track.backend.mlflow_store._ANSWER_SECONDS", 1)
    monkeypatch.setattr("sweeper.track.posts.LONGEST_PAUSE", 0.5)


class Shown:
    """Remembers what a person is shown, and waits for it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, text: str) -> None:
        with self._changed:
            self.texts.append(text)
            self._changed.notify_all()

    def wait(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(words in text for text in self.texts), PATIENCE
            ), self.texts


def begin(folder: Path, uri: str, number: int = 0) -> Journal:
    """The journal of a trial below a study, whose journal begins too."""
    study = {"sweeper.role": "study", "sweeper.study_id": str(folder)}
    if number == 0:
        Journal(MlflowPaths(folder / "mlflow")).start(
            NewRun(uri, "delivery", "a study", study, {}, "A")
        )
    trial = {"sweeper.study_id": str(folder), "sweeper.trial_number": str(number)}
    journal = Journal(MlflowPaths(folder / "trials" / f"{number:04d}" / "mlflow"))
    name = f"trial {number}"
    journal.start(NewRun(uri, "delivery", name, trial, {"tag": "first"}, "A trial.", study))
    return journal


def train(journal: Journal, epochs: range = range(EPOCHS)) -> None:
    """What a trial records."""
    folder = journal.paths.folder.parent
    if 0 in epochs:
        journal.log_params({"batch_size": 8})
        (folder / "config.yaml").write_text("batch_size: 8\n")
        journal.log_file(folder / "config.yaml", "config")
        journal.log_data([DataUse("pets", "1f", "training", Path("/data/pets"), 80, 2)])
    for step in epochs:
        journal.log_metrics({"best_val_loss": 1 / (step + 1), "loss": 2 / (step + 1)}, step)
        journal.set_tags({"tag": f"epoch {step}"})


def finish(journal: Journal) -> None:
    """What its controller records when it has ended, and been tested."""
    journal.end(State.COMPLETE)
    journal.log_metrics({"test_accuracy": 0.5}, 0)
    model = journal.paths.model
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\nutc_time_created: '2026-01-01 00:00:00'\n")
    journal.log_model(model)


def check(server: MlflowServer, folder: Path, trials: int = 1) -> None:
    """All of it is there once, in order."""
    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name("delivery")
    assert experiment is not None
    found = client.search_runs(
        [experiment.experiment_id],
        f"tags.`sweeper.study_id` = '{folder}'",
    )
    study, *others = sorted(found, key=lambda run: str(run.info.run_name))
    assert [run.info.run_name for run in others] == [f"trial {number}" for number in range(trials)]
    for run in others:
        assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
        check_trial(client, run)


def check_trial(client: MlflowClient, run: Run) -> None:
    assert run.info.status == "FINISHED"
    assert run.data.tags["tag"] == f"epoch {EPOCHS - 1}"
    assert run.data.tags["mlflow.note.content"] == "**State:** complete\n\nA trial."
    assert run.data.params == {"batch_size": "8"}
    assert next(iter(run.data.metrics)) == "best_val_loss"
    for name, top in (("best_val_loss", 1), ("loss", 2)):
        history = client.get_metric_history(run.info.run_id, name)
        wanted = [(step, top / (step + 1)) for step in range(EPOCHS)]
        assert [(one.step, one.value) for one in history] == wanted
        assert [one.timestamp for one in history] == sorted(one.timestamp for one in history)
    assert len(client.get_metric_history(run.info.run_id, "test_accuracy")) == 1
    assert [one.path for one in client.list_artifacts(run.info.run_id, "config")] == [
        "config/config.yaml"
    ]
    assert len(run.inputs.dataset_inputs) == 1
    (output,) = run.outputs.model_outputs
    assert str(client.get_logged_model(output.model_id).status) == "READY"
    of_run = f"source_run_id = '{run.info.run_id}'"
    assert len(client.search_logged_models([run.info.experiment_id], of_run)) == 1


@pytest.mark.more
def test_answers_that_are_lost_change_nothing(
    server: MlflowServer, front: Proxy, tmp_path: Path
) -> None:
    """The server does all that it is asked for the first time, and no answer arrives."""
    known: set[tuple[str, str]] = set()

    def fate(method: str, path: str) -> str:
        first = method not in ("GET", "HEAD") and (method, path) not in known
        known.add((method, path))
        return "lose" if first else "pass"

    front.fate = fate
    reported = Shown()
    delivery = Delivery(front.url, reported)
    journal = begin(tmp_path, front.url)
    delivery.add(MlflowPaths.below(tmp_path))
    delivery.begin(required=False)
    train(journal)
    finish(journal)
    assert not delivery.finish()
    assert len(known) > 8
    check(server, tmp_path)
    assert reported.texts[0] == (
        f"warning: MLflow at {front.url} cannot be used: it does not answer; trials continue, and "
        "it gets what they record when it answers again"
    )


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hangs", "fails", "stops"])
def test_a_server_that_is_away_for_a_time_is_filled_later(
    server: MlflowServer, front: Proxy, tmp_path: Path, fault: str
) -> None:
    url = front.url if fault == "fails" else server.url
    reported = Shown()
    delivery = Delivery(url, reported)
    first = begin(tmp_path, url)
    train(first, range(2))
    delivery.add(MlflowPaths.below(tmp_path))
    delivery.begin()
    match fault:
        case "fails":
            front.fate = lambda method, _path: "pass" if method == "HEAD" else "fail"
        case "stops":
            server.stop()
        case "hangs":
            server.signal(signal.SIGSTOP)
    train(first, range(2, EPOCHS))
    finish(first)
    second = begin(tmp_path, url, 1)  # a run that is to be opened meanwhile
    delivery.add([second.paths])
    train(second)
    reported.wait("when it answers again")
    match fault:
        case "fails":
            front.fate = lambda _method, _path: "pass"
        case "stops":
            server.start()
        case "hangs":
            server.signal(signal.SIGCONT)
    reported.wait(f"{url} answers again")
    finish(second)
    assert not delivery.finish()
    check(server, tmp_path, trials=2)
    warning, again = reported.texts
    cause = {"fails": "it answers 500", "hangs": "it does not answer"}
    assert f"MLflow at {url} cannot be used: {cause.get(fault, '[Errno 111]')}" in warning
    assert again == f"MLflow at {url} answers again"


@pytest.mark.slow
def test_what_is_outstanding_at_the_end_is_reported_and_delivered_later(
    server: MlflowServer, front: Proxy, tmp_path: Path
) -> None:
    reported = Shown()
    front.fate = lambda _method, _path: "fail"
    delivery = Delivery(front.url, reported)
    journal = begin(tmp_path, front.url)
    train(journal)
    finish(journal)
    delivery.add(MlflowPaths.below(tmp_path))
    delivery.begin(required=False)
    left = delivery.finish(FAILS_FOR_GOOD)
    entries = len(journal.entries()) + 1  # that of the study
    assert (left.entries, left.runs) == (entries, 2)
    assert "500" in left.reason
    front.fate = lambda _method, _path: "pass"
    assert not sync(tmp_path, reported)
    check(server, tmp_path)
    assert not sync(tmp_path, reported)
    assert len([path for path in front.changes if path.endswith("runs/create")]) == 2


def test_who_is_in_a_hurry_waits_for_nothing(tmp_path: Path) -> None:
    """Not even for a server that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        url = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        delivery = Delivery(url, Shown())
        journal = begin(tmp_path, url)
        train(journal)
        delivery.add(MlflowPaths.below(tmp_path))
        delivery.begin(required=False)
        delivery.hurry()
        assert delivery.finish(PATIENCE).runs == 2


def test_a_run_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    uri, reported = f"sqlite:///{tmp_path}/mlflow.db", Shown()
    refused = begin(tmp_path, uri)
    delivery = Delivery(uri, reported)
    delivery.add(MlflowPaths.below(tmp_path))
    delivery.begin()
    while not read_delivered(refused.paths).run_id:
        delivery.wake()
    delivery.store.run(read_delivered(refused.paths).run_id).delete()  # type: ignore[union-attr]
    other = begin(tmp_path, uri, 1)
    delivery.add([other.paths])
    for journal in (refused, other):
        train(journal)
        journal.end(State.COMPLETE)
    left = delivery.finish(3.0)
    assert (left.runs, read_delivered(other.paths).ended) == (1, True)
    assert "active" in left.reason
    (printed,) = reported.texts
    assert printed.endswith("what it lacks of that run is kept")


def test_a_store_that_lost_a_run_gets_all_of_it_again(tmp_path: Path) -> None:
    uri, reported = f"sqlite:///{tmp_path}/mlflow.db", Shown()
    journal = begin(tmp_path, uri)
    train(journal)
    assert not sync(tmp_path, reported)
    other = f"sqlite:///{tmp_path}/other.db"
    assert not sync(tmp_path, reported, other)  # nothing is new
    finish(journal)
    Journal(MlflowPaths(tmp_path / "mlflow")).set_tags({"more": "entries"})
    assert not sync(tmp_path, reported, other)
    client = MlflowClient(other)
    (trial,) = client.search_runs(["1"], "tags.`sweeper.trial_number` = '0'")
    check_trial(client, trial)
    assert reported.texts == []


def test_a_file_that_is_removed_before_it_is_delivered_is_named(
    server: MlflowServer, tmp_path: Path
) -> None:
    journal = begin(tmp_path, server.url)
    train(journal)
    finish(journal)
    (journal.paths.folder.parent / "config.yaml").unlink()
    assert not sync(tmp_path, Shown())
    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name("delivery")
    assert experiment is not None
    filtered = f"tags.`sweeper.study_id` = '{tmp_path}' and tags.`sweeper.trial_number` = '0'"
    (run,) = client.search_runs([experiment.experiment_id], filtered)
    assert run.data.tags[MISSING] == "config.yaml was removed before MLflow got it"
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(
    "damaged", [b"\0" * 40 + b"\n", b"{}\n", b"7\n", b'"kind time"\n', b"\xff\n"]
)
def test_a_damaged_entry_is_named_and_holds_up_no_other_run(tmp_path: Path, damaged: bytes) -> None:
    uri, reported = f"sqlite:///{tmp_path}/mlflow.db", Shown()
    first, second = begin(tmp_path, uri), begin(tmp_path, uri, 1)
    for journal in (first, second):
        train(journal)
        finish(journal)
    file = first.paths.journal
    lines = file.read_bytes().splitlines(keepends=True)
    where = len(b"".join(lines[:4]))
    file.write_bytes(b"".join([*lines[:4], damaged, *lines[4:]]))
    left = sync(tmp_path, reported)
    assert (left.entries, left.runs) == (1 + len(lines[4:]), 1)
    assert f"{file} is damaged at byte {where}" in left.reason
    (printed,) = reported.texts
    assert left.reason in printed
    assert read_delivered(second.paths).ended

    file.write_bytes(b"".join(lines))  # as the message says
    assert not sync(tmp_path, reported)
    client = MlflowClient(uri)
    for run in client.search_runs(["1"], "tags.`sweeper.trial_number` != ''"):
        check_trial(client, run)


def test_a_journal_in_which_no_run_begins_is_named(tmp_path: Path) -> None:
    uri, reported = f"sqlite:///{tmp_path}/mlflow.db", Shown()
    begin(tmp_path, uri)
    lost = Journal(MlflowPaths(tmp_path / "trials" / "0001" / "mlflow"))
    lost.log_params({"batch_size": 8})
    lost.end(State.FAILED)
    for store in (None, uri):
        left = sync(tmp_path, reported, store)
        assert (left.entries, left.runs) == (2, 1)
        assert f"{lost.paths.journal} begins with no run" in left.reason
        assert left.reason in reported.texts.pop()
    assert reported.texts == []


def test_there_is_nothing_to_deliver_in_another_folder(tmp_path: Path) -> None:
    with pytest.raises(SweeperError, match="holds no run"):
        sync(tmp_path, Shown())
    begin(tmp_path, "postgresql://me:***@host/db")
    with pytest.raises(SweeperError, match="set MLFLOW_TRACKING_URI"):
        sync(tmp_path, Shown())
    with pytest.raises(TrackerError, match="cannot be used"):
        sync(tmp_path, Shown(), "http://127.0.0.1:9")


DIES = """
import os, signal, sys
from pathlib import Path
from sweeper.app.outstanding import sync
import sweeper.track.delivered

left = int(sys.argv[2])
write_aside = sweeper.track.delivered.write_aside

def write_or_die(path, content):
    global left
    left -= 1
    if left < 0:  # MLflow has the entry, and its delivery is not noted
        os.kill(os.getpid(), signal.SIGKILL)
    write_aside(path, content)

sweeper.track.delivered.write_aside = write_or_die
sync(Path(sys.argv[1]), print)
"""


@pytest.mark.more
@pytest.mark.slow
def test_a_delivery_that_is_killed_continues(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    journal = begin(tmp_path, uri)
    train(journal)
    finish(journal)
    for requests in itertools.count(3, 7):
        command = [sys.executable, "-c", DIES, str(tmp_path), str(requests)]
        ended = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert requests > 3
    client = MlflowClient(uri)
    (trial,) = client.search_runs(["1"], "tags.`sweeper.trial_number` = '0'")
    check_trial(client, trial)
    assert len(client.search_runs(["1"])) == 2
