"""Real files, real locks, real processes that die."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from data.pictures import as_nobody, open_folder
from search.studies import a_study, finish, sqlite
from servers import postgres
from sqlalchemy import create_engine

from sweeper.errors import MachineFault, SweeperError
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.stores.exclusive import SqliteStore
from sweeper.search.stores.opening import claimed, open_store, storage_faults
from sweeper.search.stores.server import ServerStore
from sweeper.track.check import tracking_faults

FOLDER = Path("one")

HOLD = """
import sys
from pathlib import Path
from sweeper.search.stores.opening import claimed, open_store
with claimed(sys.argv[1], "one", Path("one")):
    store = open_store(sys.argv[1], "one", 60)
    gate = store.gate()
    if sys.argv[2:]:
        gate.__enter__()
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(url: str, *arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("scheme", ["sqlite", "journal"])
def test_a_file_takes_one_controller_of_a_study_until_it_dies(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}:///{tmp_path}/deep/store"
    with holder(url) as other:
        with (
            pytest.raises(SweeperError, match="is being run by another"),
            claimed(url, "one", FOLDER),
        ):
            pass
        with claimed(url, "another/study", FOLDER / "other"):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with claimed(url, "one", FOLDER):
            store = open_store(url, "one", 60)
            finish(a_study(store), 0.5)
            store.close()
    with claimed(url, "one", FOLDER):
        again = open_store(url, "one", 60)
        assert [trial.value for trial in a_study(again).trials] == [0.5]
        again.close()


def test_a_sqlite_store_writes_ahead_and_leaves_one_file(tmp_path: Path) -> None:
    store = sqlite(tmp_path)
    study = a_study(store)
    finish(study, 0.5)
    log = tmp_path / "deep" / "studies.db-wal"
    assert log.stat().st_size > 0
    store.sync()
    # all is in the database itself: a copy without the log has it
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "deep" / "studies.db").read_bytes())
    with sqlite3.connect(copy) as connection:
        assert connection.execute("select state from trials").fetchall() == [("COMPLETE",)]
    connection.close()
    store.close()
    assert not log.exists()


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("nonsense", "cannot be opened"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", "***@127.0.0.1:1/none cannot"),
    ],
)
def test_a_store_that_does_not_open_is_a_sentence(url: str, printed: str) -> None:
    with pytest.raises(SweeperError) as caught:
        open_store(url, "one", 60)
    assert printed in str(caught.value)
    assert "secret" not in str(caught.value)


def storage_settings(**changes: object) -> SweepSettings:
    return SweepSettings.read({"n_trials": 1, "study_name": "one", **changes})


def test_a_server_that_does_not_answer_is_noticed_before_anything_is_prepared(
    tmp_path: Path,
) -> None:
    lost = "postgresql+psycopg://me:secret@127.0.0.1:1/none"
    for settings, key in (
        (storage_settings(storage=lost), "hydra.sweeper.storage"),
        (
            storage_settings(storage=None, warm_start={"study_name": "x", "storage": lost}),
            "hydra.sweeper.warm_start.storage",
        ),
    ):
        (fault,) = storage_faults(settings, tmp_path)
        assert "***@127.0.0.1:1/none cannot be opened: " in fault
        assert f"set {key} to sqlite:///<file>, or to a server that answers" in fault
    with postgres(tmp_path) as url:
        assert storage_faults(storage_settings(storage=url), tmp_path) == []


def test_a_server_lets_one_controller_at_a_time_through_the_gate(tmp_path: Path) -> None:
    with postgres(tmp_path) as url:
        store = open_store(url, "one", 60)
        assert isinstance(store, ServerStore)
        try:
            assert not _locked(url, store.lock_key)
            with holder(url, "hold") as other:
                assert _locked(url, store.lock_key)
                os.kill(other.pid, signal.SIGKILL)
                with store.gate(), store.finishing():
                    assert _locked(url, store.lock_key)
            assert not _locked(url, store.lock_key)
        finally:
            store.close()


def _locked(url: str, key: int) -> bool:
    engine = create_engine(url)
    with engine.connect() as connection:
        got = connection.exec_driver_sql(f"select pg_try_advisory_lock({key})").scalar()
        if got:
            connection.exec_driver_sql(f"select pg_advisory_unlock({key})")
    engine.dispose()
    return not got


def test_heartbeat_is_on_where_controllers_share(tmp_path: Path) -> None:
    with postgres(tmp_path) as url:
        store = open_store(url, "one", 7)
        heartbeat = store.storage.get_heartbeat_interval()
        store.close()
    assert heartbeat == 7
    assert store.poll_seconds == 7


def test_threads_that_begin_at_once_make_the_tables_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new {{x}}/studies.db"
    barrier = threading.Barrier(4)

    def begin(_number: int) -> None:
        barrier.wait()
        open_store(url, "one", 60).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin, range(4)))
    assert (tmp_path / "new {x}" / "studies.db").exists()


@pytest.mark.parametrize("intact", [0, 4096])
def test_a_sqlite_file_with_damage_is_named(tmp_path: Path, intact: int) -> None:
    sqlite(tmp_path).close()
    file = tmp_path / "deep" / "studies.db"
    content = file.read_bytes()
    file.write_bytes(content[:intact] + b"\xa5" * (len(content) - intact))
    with pytest.raises(MachineFault, match=r"studies\.db is damaged \(.*\); put a copy") as caught:
        a_study(sqlite(tmp_path))
    assert "run the same command again" in str(caught.value)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_file_that_another_process_keeps_locked_is_a_sentence(tmp_path: Path, mode: str) -> None:
    """Only in the mode of the write-ahead log may the file be opened and read meanwhile."""
    file = tmp_path / "studies.db"
    url = f"sqlite:///{file}"
    store = SqliteStore(url, patience=0.01)
    finish(a_study(store), 0.5)
    store.close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute(f"pragma journal_mode={mode}")
    other.execute("begin exclusive")
    with pytest.raises(MachineFault) as caught:
        finish(a_study(SqliteStore(url, patience=0.01)), 0.6)
    assert str(caught.value).startswith(f"another process has kept {file} locked for 0.01 s; end")
    other.execute("rollback")
    other.close()
    again = SqliteStore(url, patience=0.01)
    assert [trial.value for trial in a_study(again).trials if trial.value] == [0.5]
    again.close()


def test_what_this_person_may_not_write_is_named_once_with_the_key_to_set() -> None:
    with open_folder() as place:
        file = place / "studies.db"
        file.touch()
        file.chmod(0o644)
        settings = storage_settings(storage=f"sqlite:///{file}")
        with as_nobody():
            if os.access(place, os.W_OK, effective_ids=True):
                pytest.skip("this person may write to the folder of another")
            assert storage_faults(settings, place / "one") == [
                f"hydra.sweep.dir: {place} cannot be written; make it writable, or set "
                "hydra.sweep.dir to another place",
                f"hydra.sweeper.storage: {file} cannot be written; make it writable, or set "
                "hydra.sweeper.storage to another place",
            ]
            new = storage_settings(storage=f"sqlite:///{place}/new.db")
            (fault,) = storage_faults(new, place)
            assert fault.startswith(f"hydra.sweep.dir: {place} cannot be written")
            (fault,) = tracking_faults(f"sqlite:///{file}", "dogs")
            assert f"{file} cannot be written; make it writable, or set tracking.uri=" in fault
        assert storage_faults(settings, place / "one") == []


@pytest.mark.parametrize("url", [None, "sqlite:///one.db", "journal:///one.log"])
def test_a_folder_has_one_controller_whatever_the_store(
    url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with claimed("sqlite:///other.db", "one", tmp_path / "experiments" / "one"):
        for folder, fits in (("one", False), ("two", True)):
            outcome = nullcontext() if fits else pytest.raises(SweeperError, match=r"sweep\.dir=")
            with outcome, claimed(url, "one", tmp_path / "experiments" / folder):
                pass
    assert list(tmp_path.iterdir()) == []


def test_a_study_name_of_any_length_can_be_claimed(tmp_path: Path) -> None:
    with claimed(f"sqlite:///{tmp_path}/one.db", "n/" * 300, tmp_path / "folder"):
        pass
