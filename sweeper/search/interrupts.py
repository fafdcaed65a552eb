"""Ctrl-C once: come to an orderly end. Twice: now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from sweeper.execute.signals import handled

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""SIGTERM is how schedulers of clusters announce that the time is up; SIGHUP, that the terminal is
closed."""


@contextlib.contextmanager
def heed_interrupts(
    first: Callable[[], None], second: Callable[[], None], note: Callable[[str], None]
) -> Iterator[list[int]]:
    """Within the block, call ``first`` at the first interrupt and ``second`` at the next ones.

    Yields the numbers of the signals that came, a list that grows; see
    :func:`sweeper.execute.signals.handled`.
    """
    came: list[int] = []

    def heed(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            text = "interrupted: trials stop at their next report; once more to stop them now"
            act = first
        else:
            text, act = "interrupted again: ending the trials that run", second
        # not in the handler: it may have cut into code that holds the locks which these take
        threading.Thread(target=_in_turn, args=(note, text, act)).start()
        if act is first:
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a third one is for Python

    with handled(_SIGNALS, heed):
        yield came


def _in_turn(note: Callable[[str], None], text: str, act: Callable[[], None]) -> None:
    act()
    note(text)
