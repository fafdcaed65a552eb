"""The store of a study that one controller has to itself."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial

if TYPE_CHECKING:
    from sqlalchemy import Engine

OnStale = Callable[[optuna.Study, FrozenTrial], None]

GATE_SECONDS = 120
"""How long a controller waits for another to ask for a trial; asking takes a fraction of one."""


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
        storage = open_database(
            url,
            engine_kwargs={
                "pool_events": [(_write_ahead, "connect")],
                # studies of other names may write to the same file
                "connect_args": {"timeout": GATE_SECONDS},
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


def open_database(url: str, **settings: Any) -> RDBStorage:
    """Optuna's storage in a database."""
    with warnings.catch_warnings():
        # the heartbeat is experimental to Optuna; a person cannot act on that
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(url, **settings)
