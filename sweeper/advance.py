"""Who is called with how far work is, and how often."""

import time
from collections.abc import Callable

OnAdvance = Callable[[str, int, int], None]
"""Called with what is done, how many of its images are done, and how many there are."""

_SECONDS = 1.0


def no_advance(_work: str, _done: int, _total: int) -> None:
    """Do nothing: nobody is shown how far it is."""


def once_a_second(on_advance: OnAdvance, clock: Callable[[], float] = time.monotonic) -> OnAdvance:
    """``on_advance``, passed over where it was called less than a second ago for the same work.

    For work with many steps a second, when each call is a message to another process.

    Args:
        on_advance: what is called.
        clock: the time in seconds.
    """
    due: dict[str, float] = {}

    def spaced(work: str, done: int, total: int) -> None:
        now = clock()
        if now >= due.get(work, now):
            due.clear()
            due[work] = now + _SECONDS
            on_advance(work, done, total)

    return spaced
