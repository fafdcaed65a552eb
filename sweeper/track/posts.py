"""The journals that are delivered: those with an open run, and those that are at rest.

A look at all of 10,000 journals would take longer than a trial's other records. So a journal whose
run was closed, and that is delivered whole, is looked at again only now and then.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from sweeper.addresses import redact
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.outbox import Outbox

LONGEST_PAUSE = 30.0
_AT_A_LOOK = 20
"""Journals at rest that each look sees; a model may be added to one that was closed."""


def pause(failures: int) -> float:
    """Seconds until something that has failed so many times in a row is tried again."""
    return min(LONGEST_PAUSE, 2.0 ** (failures - 1))


@dataclass
class Post:
    """A journal, and when it may be tried again."""

    outbox: Outbox
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""
    refused: bool = False

    def put_off(self, reason: str) -> None:
        """Try again after a pause, which is longer each time."""
        self.failures += 1
        self.reason = redact(reason)
        self.not_before = time.monotonic() + pause(self.failures)


class Posts:
    """One thread delivers them; others add journals."""

    def __init__(self) -> None:
        self._open: dict[MlflowPaths, Post] = {}
        self._resting: OrderedDict[MlflowPaths, Post] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, paths: Iterable[MlflowPaths]) -> None:
        """Deliver these journals too; those of parents come first."""
        with self._lock:
            for one in paths:
                rested = self._resting.pop(one, None)
                self._open.setdefault(one, rested or Post(Outbox(one)))

    def at(self, look_at_all: bool) -> tuple[Post, ...]:
        """Those to look at now, in the order in which they were added."""
        with self._lock:
            some = len(self._resting)
            for _ in range(some if look_at_all else min(some, _AT_A_LOOK)):
                path, post = self._resting.popitem(last=False)
                # what has nothing to deliver is looked at again after all others
                (self._open if post.outbox.waits else self._resting)[path] = post
            return tuple(self._open.values())

    def rest(self) -> None:
        """Put to rest what is delivered whole."""
        with self._lock:
            done = [path for path, post in self._open.items() if post.outbox.at_rest]
            for path in done:
                self._resting[path] = self._open.pop(path)

    @property
    def waiting(self) -> bool:
        """Whether something may be delivered yet; a look at the sizes of files.

        What was refused is not waited for: it will be refused again.
        """
        return any(post.outbox.waits and not post.refused for post in self._all())

    def _all(self) -> tuple[Post, ...]:
        """All of them, the open ones first."""
        with self._lock:
            return (*self._open.values(), *self._resting.values())

    def outstanding(self) -> tuple[list[int], list[str]]:
        """How many entries each lacks, and why, where that is known."""
        posts = self._all()
        reasons = [post.reason for post in posts if post.reason]
        return [post.outbox.outstanding() for post in posts], reasons
