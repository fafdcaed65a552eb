"""MLflow's server away, failing and hanging while fine-tunes run."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.sweeps import DIGITS, shortened, sweeper
from mlflow import MlflowClient
from mlflow_servers import MlflowServer, mlflow_server, proxy

from sweeper.report.reader import StudyReader

GROUP = "MLflow"
Seen = Callable[[str], None]
PROMISED = "the sweep is complete, with one warning; `sync` delivers what the server lacks, once"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server") as running:
        yield running


@contextmanager
def fine_tunes(folder: Path, url: str, seen: Seen) -> Iterator[None]:
    """The block makes a fault, which lasts to the end of a sweep that has begun."""
    with sweeper(folder, *DIGITS, f"tracking.uri={url}") as sweep:
        sweep.await_line("epoch 1 of 2")
        yield
        assert sweep.end() == 0, sweep.printed
        warnings = sweep.printed.count("warning: MLflow at")
        lacks = sweep.await_line("MLflow lacks")
    assert warnings == 1
    seen(f"1 of 1 finished, exit code 0, one warning, {shortened(lacks, folder)}")


def delivered(folder: Path, server: MlflowServer, seen: Seen) -> None:
    """Deliver what is outstanding, and compare all points with those of the folder."""
    with sweeper(folder, "sync") as sync:
        assert sync.end() == 0, sync.printed
        said = sync.last_line
    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    reader, points = StudyReader(folder / "experiments" / "digits_lite0"), 0
    for run in client.search_runs([experiment.experiment_id]):
        assert run.info.status == "FINISHED"
        if number := run.data.tags.get("sweeper.trial_number"):
            for epoch in (epochs := reader.curves(int(number))):
                points += len(epoch.metrics)
            for name in epochs[-1].metrics:  # the first has those of the loss check too
                history = client.get_metric_history(run.info.run_id, name)
                wanted = [(epoch.step, epoch.metrics[name]) for epoch in epochs]
                assert [(one.step, one.value) for one in history] == wanted
    assert points
    seen(f"then `sync`: `{said}`, all {points} points there once")


@pytest.mark.faults(fault="the server ends during the first trial", promised=PROMISED)
def test_a_server_that_is_away(tmp_path: Path, server: MlflowServer, seen: Seen) -> None:
    with fine_tunes(tmp_path, server.url, seen):
        server.stop()
    server.start()
    delivered(tmp_path, server, seen)


@pytest.mark.faults(fault="the server answers 500 from the second epoch on", promised="the same")
def test_a_server_that_fails(tmp_path: Path, server: MlflowServer, seen: Seen) -> None:
    with proxy(server.url) as front:
        with fine_tunes(tmp_path, front.url, seen):
            front.fate = lambda _method, _path: "fail"
        front.fate = lambda _method, _path: "pass"
        delivered(tmp_path, server, seen)


@pytest.mark.faults(
    fault="the server hangs (SIGSTOP) from the second epoch on", promised="the same"
)
def test_a_server_that_hangs(tmp_path: Path, server: MlflowServer, seen: Seen) -> None:
    with fine_tunes(tmp_path, server.url, seen):
        server.signal(signal.SIGSTOP)
    server.signal(signal.SIGCONT)
    delivered(tmp_path, server, seen)


@pytest.mark.faults(
    fault="every third answer is lost: the server has done it, the connection ends",
    promised="nothing is recorded twice",
)
def test_answers_that_are_lost(tmp_path: Path, server: MlflowServer, seen: Seen) -> None:
    count = 0

    def fate(method: str, _path: str) -> str:
        nonlocal count
        count += method == "POST"
        return "lose" if method == "POST" and count % 3 == 0 else "pass"

    with proxy(server.url) as front:
        with sweeper(tmp_path, *DIGITS, f"tracking.uri={front.url}") as sweep:
            sweep.await_line("epoch 1 of 2")
            front.fate = fate
            assert sweep.end() == 0, sweep.printed
        seen(f"1 of 1 finished, exit code 0, {count // 3} answers lost")
        front.fate = lambda _method, _path: "pass"
        delivered(tmp_path, server, seen)


@pytest.mark.faults(
    fault="no server when the sweep begins",
    promised="refused before any trial, naming the address; nothing is begun",
)
def test_no_server_at_the_start(tmp_path: Path, seen: Seen) -> None:
    with sweeper(tmp_path, *DIGITS, "tracking.uri=http://127.0.0.1:9") as sweep:
        code = sweep.end()
        said = sweep.last_line
    assert code
    assert "127.0.0.1:9" in said
    assert not (tmp_path / "experiments" / "digits_lite0" / "trials").exists()
    seen(f"exit code {code}, {shortened(said, tmp_path)}")
