"""Ctrl-C once: an orderly end. Twice: now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from sweeper.execute.signals import handled, watched

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""SIGTERM is how schedulers of clusters announce that the time is up; SIGHUP, that the terminal is
closed."""


@contextlib.contextmanager
def handle_interrupts(
    first: Callable[[], None], second: Callable[[], None], note: Callable[[str], None]
) -> Iterator[list[int]]:
    """Within the block, call ``first`` at the first interrupt and ``second`` at the next ones.

    Yields the numbers of the signals that came, a list that grows; see
    :func:`sweeper.execute.signals.watched`.
    """
    came: list[int] = []
    handlings = 0

    def act(number: int) -> None:
        came.append(number)
        if len(came) == 1:
            text = "interrupted: trials stop at their next report; once more to stop them now"
            act = first
        else:
            text, act = "interrupted again: ending the trials that run", second
        # in a thread of its own: the first action may wait for a lock, and must not hold up the
        # second
        threading.Thread(target=_in_turn, args=(note, text, act)).start()

    def leave_third(_number: int, _frame: FrameType | None) -> None:
        nonlocal handlings
        handlings += 1
        if handlings == 2:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    with handled(_SIGNALS, leave_third), watched(_SIGNALS, act):
        yield came


def _in_turn(note: Callable[[str], None], text: str, act: Callable[[], None]) -> None:
    act()
    note(text)
