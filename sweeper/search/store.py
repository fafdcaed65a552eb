"""Where a study is kept, and who may write to it.

========================== ======== =======================================================
``hydra.sweeper.storage``  writers
========================== ======== =======================================================
``null``                   one      memory: gone when the sweep ends
``sqlite:///file``         one      write-ahead log: a third of the time of SQLite's default
``journal:///file``        one      Optuna's journal: the fastest that lasts
``postgresql+psycopg://``  several  controllers on any machine; dead ones are noticed
``mysql+pymysql://``       several  the same
========================== ======== =======================================================

Where one writes, a lock on a file beside the store keeps a second controller out; the system
takes it back when the process dies, however it dies. Where several write, Optuna's heartbeat tells
the dead from the living, and a lock in the database makes counting and asking one step.
"""

import contextlib
import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, text

from sweeper.errors import SweeperError
from sweeper.paths import sqlite_file

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

OnStale = Callable[[optuna.Study, FrozenTrial], None]

_JOURNAL = "journal:///"
_GATE_SECONDS = 120
"""How long a controller waits for another to ask for a trial; asking takes a fraction of one."""


_SETTINGS = {
    # keepalives: a machine that lost its power says no farewell, and its lock must not stay
    "postgresql": (
        "set tcp_keepalives_idle = 30",
        "set tcp_keepalives_interval = 10",
        "set tcp_keepalives_count = 3",
    ),
    # an idle connection would be closed, and its lock with it
    "mysql": ("set session wait_timeout = 31536000",),
}
"""What the connection that holds the lock asks of its server, by SQLAlchemy's dialect."""

_NO_HEARTBEAT = text(
    "select number from trials join studies on studies.study_id = trials.study_id "
    "where study_name = :name and state = 'RUNNING' and not exists "
    "(select 1 from trial_heartbeats where trial_heartbeats.trial_id = trials.trial_id)"
)


class Store:
    """An Optuna storage for one controller at a time: in memory, SQLite or a journal."""

    shared = False
    """Whether other controllers may run trials of the same study at this moment."""
    poll_seconds: float | None = None
    """How long to wait before looking again what other controllers did."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self.on_stale: OnStale | None = None
        """Called with a trial that another controller left when it died."""
        self._gate = threading.Lock()

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Within the block no other slot, nor another controller, counts or asks for trials."""
        with self._gate:
            yield

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Within the block no other controller finishes the study."""
        yield

    def show_alive(self, trial: optuna.Trial) -> None:
        """Let other controllers see that the new ``trial`` has one; before the gate opens."""

    def fail_stale(self, study: optuna.Study) -> None:
        """Close what dead controllers left, and tell ``on_stale``; to be called behind the gate."""

    def sync(self) -> None:
        """Make what has been written survive a loss of power."""

    def close(self) -> None:
        """Let go of the store."""


class SqliteStore(Store):
    """A SQLite file. Reports are synced to disk with the end of their trial, not each by itself."""

    def __init__(self, url: str) -> None:
        storage = _database(
            url,
            engine_kwargs={
                "pool_events": [(_write_ahead, "connect")],
                # studies of other names may write to the same file
                "connect_args": {"timeout": _GATE_SECONDS},
            },
        )
        super().__init__(storage)
        self._engine: Engine = storage.engine

    def sync(self) -> None:
        """Sync the write-ahead log, which ``synchronous=normal`` leaves to checkpoints."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        """Close the database, which takes the write-ahead log in."""
        self.storage.remove_session()
        self._engine.dispose()


def _write_ahead(connection: Any, _record: object) -> None:
    """Write to a log first; where the file system cannot (some networks), stay with the default."""
    cursor = connection.cursor()
    (mode,) = cursor.execute("pragma journal_mode=wal").fetchone()
    if mode == "wal":
        cursor.execute("pragma synchronous=normal")
    cursor.close()


class ServerStore(Store):
    """A database server, shared by the controllers of a study."""

    shared = True

    def __init__(self, url: str, study_name: str, heartbeat_interval: int) -> None:
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        # controllers that begin at once would each make the tables
        with self._connect() as connection, self._hold(connection, _key("tables"), _GATE_SECONDS):
            self._database = _database(
                url,
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat_interval,
                heartbeat_stale_trial_callback=self._stale,
            )
        super().__init__(self._database)
        self.poll_seconds = heartbeat_interval
        self.lock_key = _key(f"study {study_name}")
        self._connection: Connection | None = None

    def _stale(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if self.on_stale is not None:
            self.on_stale(study, trial)

    def show_alive(self, trial: optuna.Trial) -> None:
        """Give ``trial`` its first heartbeat, if its thread has not done so."""
        self._database.record_heartbeat(trial._trial_id)

    def fail_stale(self, study: optuna.Study) -> None:
        """Close what dead controllers left, and tell ``on_stale``; to be called behind the gate."""
        optuna.storages.fail_stale_trials(study)
        # Optuna looks at trials that had a heartbeat once. Ours have one before their controller
        # opens the gate again, so one without was left by a controller that died right there
        with self._connect() as connection:
            numbers = connection.execute(_NO_HEARTBEAT, {"name": study.study_name}).scalars().all()
        for number in numbers:
            self._stale(study, study.get_trials(deepcopy=False)[number])
            study.tell(number, state=TrialState.FAIL)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Hold a lock in the database; the server frees it when our connection ends."""
        with self._gate:
            if self._connection is None:
                self._connection = self._connect()
            with self._hold(self._connection, self.lock_key, _GATE_SECONDS):
                yield

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Hold another lock, however long: testing a winner takes minutes."""
        with self._connect() as connection, self._hold(connection, self.lock_key ^ 1, None):
            yield

    def _connect(self) -> "Connection":
        # no transaction: the lock is the session's, and an idle one would hold back vacuum
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for statement in _SETTINGS[self._engine.dialect.name]:
            connection.exec_driver_sql(statement)
        return connection

    @contextlib.contextmanager
    def _hold(self, connection: "Connection", key: int, seconds: int | None) -> Iterator[None]:
        from sqlalchemy.exc import OperationalError

        if self._engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"set lock_timeout = '{seconds or 0}s'")
            take, unlock = f"select pg_advisory_lock({key})", f"select pg_advisory_unlock({key})"
        else:
            take = f"select get_lock('sweeper{key}', {-1 if seconds is None else seconds})"
            unlock = f"select release_lock('sweeper{key}')"
        try:
            # MySQL says 0 where time is up, PostgreSQL raises; it says nothing where all is well
            late = connection.exec_driver_sql(take).scalar() == 0
        except OperationalError:
            late = True
        if late:
            raise SweeperError(
                f"another controller has kept the study's lock for {seconds} s; is it stopped? end "
                "it and run the same command again"
            )
        try:
            yield
        finally:
            connection.exec_driver_sql(unlock)

    def close(self) -> None:
        """Close all connections."""
        if self._connection is not None:
            self._connection.close()
        self.storage.remove_session()
        self._database.engine.dispose()
        self._engine.dispose()


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextlib.contextmanager
def claimed(url: str | None, study_name: str) -> Iterator[None]:
    """Within the block, keep other controllers of the study out where the store takes one only.

    Raises:
        SweeperError: another controller has it.
    """
    file = _file(url) if url else None
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    name = f".{file.name}.{quote(study_name, safe='')}.lock"
    lock = FileLock(file.with_name(name), thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SweeperError(
            f"study {study_name} in {file} is being run by another process, and this store takes "
            "one at a time; wait for it or end it, start a study of your own with "
            "hydra.sweeper.study_name=<name>, or share the study through a server: "
            "hydra.sweeper.storage=postgresql+psycopg://..."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _file(url: str) -> Path | None:
    if url.startswith(_JOURNAL):
        return Path(url.removeprefix(_JOURNAL))
    return sqlite_file(url)


def open_store(url: str | None, study_name: str, heartbeat_interval: int) -> Store:
    """Open the store at ``url`` for study ``study_name``, which is :func:`claimed`.

    Raises:
        SweeperError: the store cannot be opened.
    """
    if url is None:
        return Store(InMemoryStorage())
    file = _file(url)
    try:
        if file is None:
            return ServerStore(url, study_name, heartbeat_interval)
        file.parent.mkdir(parents=True, exist_ok=True)
        if url.startswith(_JOURNAL):
            return Store(JournalStorage(JournalFileBackend(str(file))))
        return SqliteStore(url)
    except Exception as error:  # drivers raise what they like
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise SweeperError(
            f"the study's store {_public(url)} cannot be opened: {text}; "
            "set hydra.sweeper.storage to sqlite:///<file>, or to a server that answers"
        ) from None


def _database(url: str, **settings: Any) -> RDBStorage:
    with warnings.catch_warnings():
        # the heartbeat is experimental to Optuna; a person cannot act on that
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(url, **settings)


def _public(url: str) -> str:
    """``url`` without its password."""
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:
        return url.rsplit("@", maxsplit=1)[-1]
