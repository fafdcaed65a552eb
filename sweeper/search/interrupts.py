"""Ctrl-C once: come to an orderly end. Twice: now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM")
"""SIGTERM is how schedulers of clusters announce that the time is up."""


@contextlib.contextmanager
def heed_interrupts(
    first: Callable[[], None], second: Callable[[], None], note: Callable[[str], None]
) -> Iterator[None]:
    """Within the block, call ``first`` at the first interrupt and ``second`` at the next ones.

    A signal that this process was started to ignore (Ctrl-C, in the background of a script) stays
    ignored. Outside the main thread signals cannot be had, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = 0

    def heed(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            text = "interrupted: trials stop at their next report; once more to stop them now"
            act = first
        else:
            text, act = "interrupted again: ending the trials that run", second
        # not in the handler: it may have cut into code that holds the locks which these take
        threading.Thread(target=_in_turn, args=(note, text, act)).start()
        if act is first:
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a third one is for Python

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, heed) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_turn(note: Callable[[str], None], text: str, act: Callable[[], None]) -> None:
    act()
    note(text)
