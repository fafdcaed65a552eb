"""Fills MLflow from the journals of runs, in a thread: nobody waits for what MLflow does."""

import threading
import time
from collections.abc import Callable, Iterable
from math import inf

from sweeper.errors import TrackerError
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.rounds import LOOK_SECONDS, Outstanding, Rounds
from sweeper.track.store import Store

_END_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0
"""At the end, since MLflow took something last, or answered while it was at work."""


class Delivery:
    """Delivers to the store at ``uri``; ``say`` shows a person a sentence, from any thread."""

    def __init__(self, uri: str, say: Callable[[str], None]) -> None:
        self.store = Store(uri)
        self._rounds = Rounds(self.store, say, self._on_delivered)
        self._changed = threading.Condition()
        self._delivered = 0
        self._urgent = self._ended = self._hurried = False
        self._thread: threading.Thread | None = None

    def add(self, paths: Iterable[MlflowPaths]) -> None:
        """Deliver these journals too, which may be written still; those of parents come first."""
        self._rounds.add(paths)

    def begin(self, required: bool = True) -> None:
        """Open the store and deliver the first journal, here; then start the thread.

        Raises:
            TrackerError: the store cannot be opened, and it is ``required`` to; else the thread
                tries again.
        """
        try:
            self.store.client  # noqa: B018 - opens it
            self._rounds.look(1)
        except TrackerError:
            if required:
                raise
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at the journals now."""
        with self._changed:
            self._changed.notify_all()

    def hurry(self) -> None:
        """Have :meth:`finish` return at once, now or later; safe in any thread."""
        self._hurried = True
        self.wake()

    def finish(self, patience: float = _PATIENCE_SECONDS, longest: float = inf) -> Outstanding:
        """Wait until all is delivered, then end the thread; returns what is not.

        Args:
            patience: seconds to wait since MLflow took something last. While it is at work on one
                request, a file for example, and answers others, it may take longer.
            longest: seconds to wait in all.
        """
        if self._thread is not None:
            with self._changed:
                self._wait(patience, time.monotonic() + longest)
                self._ended = True
                self._changed.notify_all()
            self._thread.join(_END_SECONDS)  # it may be in the middle of a request that hangs
        return self._rounds.outstanding()

    def _wait(self, patience: float, deadline: float) -> None:
        self._urgent = True
        self._changed.notify_all()
        now = time.monotonic()
        known, give_up = self._delivered, now + patience
        while self._rounds.waiting and not self._hurried and now < deadline:
            if self._delivered != known:
                known, give_up = self._delivered, now + patience
            elif now < give_up:
                self._changed.wait(min(give_up, deadline) - now)
            elif self._rounds.busy and self._answers():
                give_up = now + patience
            else:
                return
            now = time.monotonic()

    def _answers(self) -> bool:
        """Whether the store answers, asked while the thread may continue."""
        self._changed.release()
        try:
            return self.store.answers()
        finally:
            self._changed.acquire()

    def _run(self) -> None:
        while not self._ended:
            pause = self._rounds.look(urgent=self._urgent)
            with self._changed:
                if not self._ended:
                    self._changed.wait(min(pause, LOOK_SECONDS) if self._urgent else pause)

    def _on_delivered(self, count: int) -> bool:
        with self._changed:
            self._delivered += count
            self._changed.notify_all()
        return not self._ended
