"""Work whose cost grows with a study, done so often that it stays a small part of the time."""

import time
from collections.abc import Callable

_SHARE = 0.02
"""Of the time that passes."""


class Paced:
    """Does work that may be left out when the next time does it as well.

    In a small study each call does it. Where it takes 60 ms, as a leaderboard of 10,000 trials, the
    calls of the next 3 s do nothing.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()

    def __call__(self, work: Callable[[], None]) -> None:
        """Do ``work``, unless the last time is too near."""
        began = self._clock()
        if began < self._next:
            return
        work()
        ended = self._clock()
        self._next = ended + (ended - began) / _SHARE
