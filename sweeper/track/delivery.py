"""Fills MLflow from the journals of runs, in a thread, whatever MLflow does: nobody waits for it.

Each journal is delivered in its order. Where a request fails, the next one comes after a pause that
grows from 1 s to 30 s, and no other request is sent until MLflow answers one that changes nothing,
so that a server that hangs has one of ours in its queue and not hundred.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sweeper.addresses import without_secrets
from sweeper.errors import TrackerError
from sweeper.locks import InUse
from sweeper.paths import MlflowPaths
from sweeper.track.mlflow_store import Refused
from sweeper.track.outbox import Outbox
from sweeper.track.store import Store

_LOOK_SECONDS = 1.0
"""Between two looks at the journals: epochs on kept features take less than a request."""
_LONGEST_PAUSE = 30.0
_END_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""At the end, since MLflow took something last, or answered while it was at work."""


@dataclass(frozen=True)
class Outstanding:
    """What MLflow lacks: entries of the journals, of how many runs, and why."""

    entries: int
    runs: int
    reason: str

    def __bool__(self) -> bool:
        return self.entries > 0


@dataclass
class _Post:
    """A journal, and when it may be tried again."""

    outbox: Outbox
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""
    refused: bool = False


@dataclass
class _State:
    """What the thread and those who wait for it share, behind ``changed``."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    delivered: int = 0
    busy: bool = False
    urgent: bool = False
    ended: bool = False
    hurried: bool = False


class Delivery:
    """Delivers to the store at ``uri``; ``say`` shows a person a sentence, from any thread."""

    def __init__(self, uri: str, say: Callable[[str], None]) -> None:
        self.store = Store(uri)
        self._say = say
        self._posts: dict[MlflowPaths, _Post] = {}
        self._state = _State()
        self._down = ""
        self._failures = 0
        self._thread: threading.Thread | None = None

    def add(self, paths: Iterable[MlflowPaths]) -> None:
        """Deliver these journals too, which may be written still; those of parents come first."""
        with self._state.changed:
            for one in paths:
                self._posts.setdefault(one, _Post(Outbox(one)))

    def begin(self, required: bool = True) -> None:
        """Open the store and deliver the first journal, here; then start the thread.

        Raises:
            TrackerError: the store cannot be opened, and it is ``required`` to; else the thread
                tries again.
        """
        try:
            self.store.client  # noqa: B018 - opens it
            self._look(1)
        except TrackerError:
            if required:
                raise
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at the journals now."""
        with self._state.changed:
            self._state.changed.notify_all()

    def hurry(self) -> None:
        """Have :meth:`finish` return at once, now or later; safe in any thread."""
        self._state.hurried = True
        self.wake()

    def finish(self, patience: float = PATIENCE_SECONDS) -> Outstanding:
        """Wait until all is delivered, then end the thread; returns what is not.

        Args:
            patience: seconds to wait since MLflow took something last. While it is at work on one
                request, a file for example, and answers others, it may take longer.
        """
        state = self._state
        if self._thread is None:
            return self.outstanding()
        with state.changed:
            state.urgent = True
            state.changed.notify_all()
            known, since = state.delivered, time.monotonic()
            while self._waiting() and not state.hurried:
                left = since + patience - time.monotonic()
                if state.delivered != known:
                    known, since = state.delivered, time.monotonic()
                elif left > 0:
                    state.changed.wait(left)
                elif state.busy and self._answers():
                    since = time.monotonic()
                else:
                    break
            state.ended = True
            state.changed.notify_all()
        self._thread.join(_END_SECONDS)  # it may be in the middle of a request that hangs
        return self.outstanding()

    def outstanding(self) -> Outstanding:
        """What the store lacks now."""
        posts = list(self._posts.values())
        counts = [post.outbox.outstanding() for post in posts]
        reasons = [self._down, *(post.reason for post in posts)]
        return Outstanding(sum(counts), sum(map(bool, counts)), next(filter(None, reasons), ""))

    def _answers(self) -> bool:
        self._state.changed.release()
        try:
            return self.store.answers()
        finally:
            self._state.changed.acquire()

    def _waiting(self) -> bool:
        return any(post.outbox.waits for post in self._posts.values())

    def _run(self) -> None:
        state = self._state
        while not state.ended:
            pause = self._look()
            with state.changed:
                if not state.ended:
                    state.changed.wait(_LOOK_SECONDS if state.urgent else pause)

    def _look(self, first: int | None = None) -> float:
        """Deliver what waits, of the ``first`` journals or all; returns the seconds to wait."""
        with self._state.changed:
            posts = list(self._posts.values())[:first]
        now, failed, tried = time.monotonic(), False, False
        for post in posts:
            if self._state.ended:
                break
            if not post.outbox.waits or (post.not_before > now and not self._state.urgent):
                failed |= post.outbox.waits and not post.refused
                continue
            if (failed or self._down) and not self.store.answers():
                return self._pause()
            tried = True
            failed |= not self._deliver(post)
        self._failures = 0
        if self._down and tried and not failed:
            self._say(f"MLflow at {self._name} answers again")
            self._down = ""
        return _LOOK_SECONDS

    def _deliver(self, post: _Post) -> bool:
        """Deliver one journal; returns whether that failed because of the store."""
        state = self._state
        state.busy = True
        try:
            for count in post.outbox.deliver(self.store):
                with state.changed:
                    state.delivered += count
                    state.changed.notify_all()
                if state.ended:
                    break
            post.failures, post.reason, post.refused = 0, "", False
        except InUse:
            return True
        except Refused as error:
            if not post.refused:
                self._say(f"warning: {error.reason}; what it lacks of that run is kept")
            self._put_off(post, error.reason)
            post.refused = True
        except TrackerError as error:
            self._put_off(post, error.cause)
            self._fell(post.reason)
            return False
        except Exception as error:  # a store's plugin may raise anything
            self._put_off(post, f"{type(error).__name__}: {error}")
            self._fell(post.reason)
            return False
        finally:
            state.busy = False
        return True

    def _put_off(self, post: _Post, reason: str) -> None:
        post.failures += 1
        post.reason = without_secrets(reason)
        post.not_before = time.monotonic() + min(_LONGEST_PAUSE, 2.0 ** (post.failures - 1))

    def _pause(self) -> float:
        self._failures += 1
        return min(_LONGEST_PAUSE, 2.0 ** (self._failures - 1))

    def _fell(self, reason: str) -> None:
        """Say once that the store does not take what it is sent."""
        if not self._down:
            self._say(
                f"warning: MLflow at {self._name} cannot be used: {reason}; trials continue, and "
                "it gets what they record when it answers again"
            )
        self._down = reason

    @property
    def _name(self) -> str:
        return without_secrets(self.store.uri)
