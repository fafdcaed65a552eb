"""Entries that are written together: a request costs the same for one as for hundred."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Buffer(Generic[Entry]):
    """Hands entries to ``write`` in their order, at once or, at most once in ``seconds``, together.

    After a pause the first entries are written by whoever brings them. Those that follow within
    ``seconds`` wait, and a thread writes them when that time is over, so that none waits longer.

    Args:
        write: writes entries. It is never called by two threads at the same time.
        seconds: between two writes.
    """

    def __init__(self, write: Callable[[list[Entry]], None], seconds: float) -> None:
        self._write = write
        self._seconds = seconds
        # reentrant, for a signal handler that ends a run in the middle of a write
        self._lock = threading.RLock()
        self._waiting: list[Entry] = []
        self._timer: threading.Timer | None = None
        self._written = -float("inf")
        self._failure: Exception | None = None

    def add(self, entries: Iterable[Entry]) -> None:
        """Write ``entries`` now or soon.

        Raises:
            Exception: what ``write`` raised, for these entries or for some that had waited.
        """
        with self._lock:
            self._waiting += entries
            pause = self._written + self._seconds - time.monotonic()
            if pause <= 0 or self._failure is not None:
                self.flush()
            elif self._waiting and self._timer is None:
                self._timer = threading.Timer(pause, self._flush_later)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what waits; raises like :meth:`add`."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            entries, self._waiting = self._waiting, []
            if entries:
                try:
                    self._write(entries)
                finally:
                    self._written = time.monotonic()

    def _flush_later(self) -> None:
        with self._lock:
            try:
                self.flush()
            except Exception as error:
                # raised to the next caller; this thread has none
                self._failure = error
