"""The store of a study that several controllers share: a database server."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import create_engine, event

from sweeper.search.stores.database_locks import DatabaseLocks, lock_number
from sweeper.search.stores.exclusive import GATE_SECONDS, Store
from sweeper.search.stores.heartbeats import Heartbeats
from sweeper.search.stores.outages import Waiting, connect_arguments
from sweeper.search.stores.shared_storage import SharedStorage

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def check_answers(url: str) -> None:
    """See that the server at ``url`` lets us in, within seconds.

    Raises:
        Exception: whatever its driver raises where it does not.
    """
    engine = create_engine(url, connect_args=connect_arguments(url))
    try:
        engine.connect().close()
    finally:
        engine.dispose()


class ServerStore(Store):
    """A database server, shared by the controllers of a study.

    Its methods, and those of its storage, wait for a server that is away, and continue where a
    connection was lost. They raise GateLost behind the gate, and Outage where the server has not
    answered for ``patience`` seconds.
    """

    shared = True

    def __init__(self, url: str, study_name: str, heartbeat_interval: int, patience: float) -> None:
        self._waiting = Waiting(url, self)
        settings: dict[str, Any] = {
            "pool_pre_ping": True,
            # each thread has one at most, and waits for the server, not for another thread
            "max_overflow": -1,
            "connect_args": connect_arguments(url),
        }
        self._engine = create_engine(url, **settings)
        self._watch(self._engine)
        self._locks = DatabaseLocks(self._engine)
        # controllers that begin at once would each make the tables
        with self._locks.held(lock_number("tables"), GATE_SECONDS):
            self._database = _open_database(url, settings, heartbeat_interval)
        self._watch(self._database.engine)
        self._database.engine.dispose()  # of connections from before
        self._storage = SharedStorage(self._database)
        super().__init__(self._storage)
        self._heartbeats = Heartbeats(heartbeat_interval)
        self._waiting.limit = patience
        self.poll_seconds = heartbeat_interval
        self.lock_key = lock_number(f"study {study_name}")
        self._connection: Connection | None = None

    def _watch(self, engine: "Engine") -> None:
        self._waiting.watch(engine)
        if engine.dialect.name == "postgresql":
            event.listen(engine, "connect", _give_up_when_stopped)

    def show_alive(self, trial: optuna.Trial) -> None:
        """Give ``trial`` its first heartbeat, if its thread has not done so."""
        self._storage.record_heartbeat(trial._trial_id)

    def fail_stale(self, study: optuna.Study) -> None:
        """Close what dead controllers left, as interrupted; to be called behind the gate."""
        beats = self._storage.heartbeats(study.study_name)
        for number in self._heartbeats.dead(beats, self._waiting.count):
            # it may have ended since, by a controller that was taken for dead
            with contextlib.suppress(ValueError, UpdateFinishedTrialError):
                study.tell(number, state=TrialState.FAIL)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Hold a lock in the database; the server frees it when our connection ends."""
        with self._gate:
            known, self._connection = self._connection, None
            self._connection = self._locks.take(self.lock_key, GATE_SECONDS, known)
            try:
                with self._storage.only_over(self._connection):
                    yield
            finally:
                self._locks.free(self._connection, self.lock_key)
                if self._connection.invalidated:  # connected anew, it would lack its settings
                    self._connection.close()
                    self._connection = None

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Hold another lock, however long: testing a winner takes minutes."""
        with self._locks.held(self.lock_key ^ 1, None):
            yield

    def close(self) -> None:
        """Close all connections."""
        if self._connection is not None:
            self._connection.close()
        self._database.remove_session()
        self._database.engine.dispose()
        self._engine.dispose()


def _open_database(url: str, settings: dict[str, Any], heartbeat_interval: int) -> RDBStorage:
    with warnings.catch_warnings():
        # the heartbeat is experimental to Optuna; a person cannot act on that
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(url, engine_kwargs=dict(settings), heartbeat_interval=heartbeat_interval)


def _give_up_when_stopped(connection: Any, _record: object) -> None:
    """A controller that is stopped within a transaction must not keep its rows from all others.

    The server ends the transaction, and a controller that wakes up after that begins it again.
    MySQL has no such limit; there the others end, after its ``innodb_lock_wait_timeout``.
    """
    cursor = connection.cursor()
    cursor.execute("set idle_in_transaction_session_timeout = '60s'")
    cursor.close()
    connection.commit()
