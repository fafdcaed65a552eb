"""The store of a study that one controller has to itself."""

import contextlib
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial

from sweeper.addresses import sqlite_file
from sweeper.errors import MachineFault
from sweeper.search.stores.sole_writer import SoleWriter

if TYPE_CHECKING:
    from sqlalchemy import Engine, ExceptionContext

OnStale = Callable[[optuna.Study, FrozenTrial], None]

GATE_SECONDS = 120
"""How long to wait for what another process does with the store; it takes a fraction of one."""


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
        """Close the store."""


class SqliteStore(Store):
    """A SQLite file. Reports are synced to disk with the end of their trial, not each by itself.

    Its methods, and those of its storage, raise MachineFault where another process keeps the file
    locked for longer than ``patience`` seconds.
    """

    def __init__(self, url: str, patience: float = GATE_SECONDS) -> None:
        from sqlalchemy import event
        from sqlalchemy.exc import OperationalError

        try:
            storage = open_database(
                url,
                engine_kwargs={
                    "pool_events": [(_write_ahead, "connect")],
                    # studies of other names may write to the same file
                    "connect_args": {"timeout": patience},
                },
            )
        except OperationalError as error:
            _check_lock(error.orig, url, patience)
            raise
        super().__init__(SoleWriter(storage))
        self._engine: Engine = storage.engine

        def failed(context: "ExceptionContext") -> None:
            _check_lock(context.original_exception, url, patience)

        event.listen(self._engine, "handle_error", failed)

    def sync(self) -> None:
        """Sync the write-ahead log, which ``synchronous=normal`` leaves to checkpoints."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        """Close the database, which takes the write-ahead log in."""
        self.storage.remove_session()
        self._engine.dispose()


def _check_lock(error: BaseException | None, url: str, patience: float) -> None:
    """Raise MachineFault where ``error`` is SQLite's about a lock of another process."""
    if isinstance(error, sqlite3.OperationalError) and "database is locked" in str(error):
        raise MachineFault(
            f"another process has kept {sqlite_file(url) or url} locked for {patience:g} s; end it "
            "(a tool that shows databases, a copy that hangs), then run the same command again"
        ) from None


def _write_ahead(connection: Any, _record: object) -> None:
    """Write to a log first; where the file system cannot (some networks), stay with the default."""
    cursor = connection.cursor()
    (mode,) = cursor.execute("pragma journal_mode=wal").fetchone()
    if mode == "wal":
        cursor.execute("pragma synchronous=normal")
    cursor.close()


def open_database(url: str, **settings: Any) -> RDBStorage:
    """Optuna's storage in a database."""
    with warnings.catch_warnings():
        # the heartbeat is experimental to Optuna; a person cannot act on that
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(url, **settings)
