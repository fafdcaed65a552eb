"""One look at all journals: what waits is delivered, what fails is put off and reported once.

Where a request fails, the next one of that journal comes after a pause that grows from 1 s to 30 s,
and no other request is sent until MLflow answers one that changes nothing, so that a server that
hangs has one of ours in its queue and not hundred.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweeper.addresses import redact
from sweeper.disk.locks import InUse
from sweeper.errors import TrackerError
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.backend.mlflow_store import Refused
from sweeper.track.posts import Post, Posts, pause
from sweeper.track.store import Store

LOOK_SECONDS = 1.0
"""Between two looks: epochs on kept features take less than a request."""


@dataclass(frozen=True)
class Outstanding:
    """What MLflow lacks: entries of the journals, of how many runs, and why."""

    entries: int
    runs: int
    reason: str

    def __bool__(self) -> bool:
        return self.entries > 0


class Rounds:
    """Delivers journals to ``store``, in one thread; others may add journals.

    Args:
        store: where to.
        say: shows a person a sentence.
        on_delivered: called after each request with the number of entries; what it returns says
            whether to continue.
    """

    def __init__(
        self, store: Store, say: Callable[[str], None], on_delivered: Callable[[int], bool]
    ) -> None:
        self._store = store
        self._say = say
        self._on_delivered = on_delivered
        self._posts = Posts()
        self._down = ""
        self._silent = 0
        self.busy = False
        """Whether a journal is being delivered."""

    def add(self, paths: Iterable[MlflowPaths]) -> None:
        """Deliver these journals too; those of parents come first."""
        self._posts.add(paths)

    def look(self, first: int | None = None, urgent: bool = False) -> float:
        """Deliver what waits, of the ``first`` journals or all; returns seconds until the next.

        ``urgent`` leaves out the pauses of single journals.
        """
        now, failed, tried = time.monotonic(), False, False
        for post in self._posts.at(look_at_all=urgent)[:first]:
            if not post.outbox.waits or (post.not_before > now and not urgent):
                failed |= post.outbox.waits and not post.refused
                continue
            if (failed or self._down) and not self._store.answers():
                self._silent += 1
                return pause(self._silent)
            tried = True
            failed |= not self._deliver(post)
        self._silent = 0
        self._posts.rest()
        if self._down and tried and not failed:
            self._say(f"MLflow at {redact(self._store.uri)} answers again")
            self._down = ""
        return LOOK_SECONDS

    @property
    def waiting(self) -> bool:
        """Whether something may be delivered yet; a look at the sizes of files."""
        return self._posts.waiting

    def outstanding(self) -> Outstanding:
        """What the store lacks."""
        counts, reasons = self._posts.outstanding()
        reason = self._down or next(iter(reasons), "")
        return Outstanding(sum(counts), sum(map(bool, counts)), reason)

    def _deliver(self, post: Post) -> bool:
        """Deliver one journal; returns False where the store was at fault."""
        self.busy = True
        try:
            for count in post.outbox.deliver(self._store):
                if not self._on_delivered(count):
                    break
            post.failures, post.reason, post.refused = 0, "", False
        except InUse:
            return True
        except Refused as error:
            if not post.refused:
                self._say(f"warning: {error.reason}; what it lacks of that run is kept")
            post.put_off(error.reason)
            post.refused = True
        except TrackerError as error:
            return self._failed(post, error.cause)
        except Exception as error:  # a store's plugin may raise anything
            return self._failed(post, f"{type(error).__name__}: {error}")
        finally:
            self.busy = False
        return True

    def _failed(self, post: Post, reason: str) -> bool:
        """Put the journal off, and say once that the store does not take what it is sent."""
        post.put_off(reason)
        if not self._down:
            named = f"MLflow at {redact(self._store.uri)}"
            self._say(
                f"warning: {named} cannot be used: {post.reason}; trials continue, and it gets "
                "what they record when it answers again"
            )
        self._down = post.reason
        return False
