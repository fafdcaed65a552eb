"""The database server of the tests starts, serves several processes, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import psycopg
import pytest
import servers
import sqlalchemy as sa
from servers import postgres

LOCK = sa.text("SELECT pg_try_advisory_lock(hashtext('study'))")
WAIT_FOR_LOCK = sa.text("SELECT pg_advisory_lock(hashtext('study'))")

HOLDER = """
import sys, time
import sqlalchemy as sa
connection = sa.create_engine(sys.argv[1]).connect()
connection.execute(sa.text("SELECT pg_advisory_lock(hashtext('study'))"))
print("held", flush=True)
time.sleep(600)
"""

CONTROLLER = """
import sys
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="shared", storage=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    trial = study.ask()
    study.tell(trial, trial.suggest_float("x", 0, 1))
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def process(code: str, address: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline().strip()


@pytest.fixture
def storage(address: str) -> Iterator[optuna.storages.RDBStorage]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(address, heartbeat_interval=1)
    yield storage
    # Unlike the SQLite driver, psycopg complains of a connection left to the garbage collector
    storage.engine.dispose()


def test_a_study_with_heartbeats_and_reports_lives_in_it(
    storage: optuna.storages.RDBStorage,
) -> None:
    study = optuna.create_study(storage=storage, study_name="alone")

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", -1, 1)
        trial.report(x, step=0)
        return x * x

    study.optimize(objective, n_trials=3)
    again = optuna.load_study(study_name="alone", storage=storage)
    assert [trial.state.name for trial in again.trials] == ["COMPLETE"] * 3
    assert all(trial.intermediate_values == {0: trial.params["x"]} for trial in again.trials)


def test_two_processes_share_a_study(address: str, storage: optuna.storages.RDBStorage) -> None:
    study = optuna.create_study(storage=storage, study_name="shared")
    with process(CONTROLLER, address) as first, process(CONTROLLER, address) as second:
        both = (first, second)
        assert [line(each) for each in both] == ["ready", "ready"]
        for each in both:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        assert [each.wait() for each in both] == [0, 0]
    assert [trial.number for trial in study.trials] == list(range(10))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_a_killed_process_gives_its_advisory_lock_back(address: str) -> None:
    engine = sa.create_engine(address)
    with process(HOLDER, address) as holder, engine.connect() as mine:
        assert line(holder) == "held"
        assert mine.scalar(LOCK) is False
        holder.send_signal(signal.SIGKILL)
        mine.execute(sa.text("SET statement_timeout = '20s'"))
        mine.execute(WAIT_FOR_LOCK)
        assert mine.scalar(LOCK) is True
    engine.dispose()


def test_nothing_is_left_even_when_the_test_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    connections: list[psycopg.Connection] = []

    def fail(address: str) -> None:
        (home,) = Path(tempfile.gettempdir()).iterdir()
        connection = psycopg.connect(address.replace("+psycopg", ""))
        pids.append(int((home / "data" / "postmaster.pid").read_text().split()[0]))
        pids.append(connection.info.backend_pid)
        # Left open: the server must not wait for its clients
        connections.append(connection)
        raise ZeroDivisionError

    # Not below tmp_path: pytest closes its folders to others, and root's server is another's
    with tempfile.TemporaryDirectory(prefix="servers-") as temporary:
        Path(temporary).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        with pytest.raises(ZeroDivisionError), postgres(tmp_path) as address:
            fail(address)
        assert not list(Path(temporary).iterdir())
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()
    connections[0].close()


def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(servers.SETTINGS, "shared_buffers", "lots")
    with (
        pytest.raises(RuntimeError, match='invalid value for parameter "shared_buffers"'),
        postgres(tmp_path),
    ):
        pass
