"""The store of a study that one controller has to itself."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.storages import BaseStorage, RDBStorage

from sweeper.addresses import sqlite_file
from sweeper.errors import MachineFault, Outage
from sweeper.execute.failures import machine_fault
from sweeper.search.stores.sole_writer import SoleWriter

if TYPE_CHECKING:
    from sqlalchemy import Engine, ExceptionContext

T = TypeVar("T")

_DAMAGED = ("database disk image is malformed", "file is not a database")
"""What SQLite says of a file with damage."""

GATE_SECONDS = 120
"""How long to wait for what another process does with the store; it takes a fraction of one."""


class GateLost(Outage):
    """The store opened the gate to others while it was held; who held it begins again.

    What was written behind it before that stays written, and nothing after it was.
    """


class Store:
    """An Optuna storage for one controller at a time: in memory, SQLite or a journal."""

    shared = False
    """Whether other controllers may run trials of the same study at this moment."""
    poll_seconds: float | None = None
    """How long to wait before looking again what other controllers did."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self.say: Callable[[str], None] = lambda _text: None
        """Called with a sentence about the store that a person should see."""
        self.ends: Callable[[], bool] = lambda: False
        """Whether the sweep ends, so that nothing is waited for any more."""
        self._gate = threading.Lock()

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Within the block no other slot, nor another controller, counts or asks for trials.

        Raises:
            GateLost: the store may be shared, and is no longer reached by the block's operations.
        """
        with self._gate:
            yield

    def behind_gate(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, done behind the gate; done again as often as that is lost."""
        while True:
            with contextlib.suppress(GateLost), self.gate():
                return work()

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Within the block no other controller finishes the study."""
        yield

    def show_alive(self, trial: optuna.Trial) -> None:
        """Let other controllers see that the new ``trial`` has one; before the gate opens."""

    def fail_stale(self, study: optuna.Study) -> None:
        """Close what dead controllers left, as interrupted; to be called behind the gate."""

    def sync(self) -> None:
        """Make what has been written survive a loss of power."""

    def close(self) -> None:
        """Close the store."""


class SqliteStore(Store):
    """A SQLite file. Reports are synced to disk with the end of their trial, not each by itself.

    Its methods, and those of its storage, raise MachineFault where another process keeps the file
    locked for longer than ``patience`` seconds, and where it is damaged.
    """

    def __init__(self, url: str, patience: float = GATE_SECONDS) -> None:
        from sqlalchemy import event
        from sqlalchemy.exc import DatabaseError

        try:
            storage = RDBStorage(
                url,
                engine_kwargs={
                    "pool_events": [(_write_ahead, "connect")],
                    # studies of other names may write to the same file
                    "connect_args": {"timeout": patience},
                },
            )
        except DatabaseError as error:
            _check_file(error.orig, url, patience)
            raise
        super().__init__(SoleWriter(storage))
        self._engine: Engine = storage.engine

        def failed(context: "ExceptionContext") -> None:
            _check_file(context.original_exception, url, patience)

        event.listen(self._engine, "handle_error", failed)

    def sync(self) -> None:
        """Sync the write-ahead log, which ``synchronous=normal`` leaves to checkpoints."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        """Close the database, which takes the write-ahead log in."""
        self.storage.remove_session()
        self._engine.dispose()


def _check_file(error: BaseException | None, url: str, patience: float) -> None:
    """Raise MachineFault where ``error`` of SQLite is about a lock, damage, or the disk."""
    if isinstance(error, sqlite3.OperationalError) and "database is locked" in str(error):
        raise MachineFault(
            f"another process has kept {sqlite_file(url) or url} locked for {patience:g} s; end it "
            "(a tool that shows databases, a copy that hangs), then run the same command again"
        ) from None
    if isinstance(error, sqlite3.DatabaseError) and str(error) in _DAMAGED:
        raise MachineFault(
            f"{sqlite_file(url) or url} is damaged ({error}); put a copy of it in its place, or "
            "move it away to begin anew, then run the same command again"
        ) from None
    if error is not None and (fault := machine_fault(error)):  # SQLAlchemy's text has the statement
        raise fault from None


def _write_ahead(connection: Any, _record: object) -> None:
    """Write to a log first; where the file system cannot (some networks), stay with the default."""
    cursor = connection.cursor()
    (mode,) = cursor.execute("pragma journal_mode=wal").fetchone()
    if mode == "wal":
        cursor.execute("pragma synchronous=normal")
    cursor.close()
