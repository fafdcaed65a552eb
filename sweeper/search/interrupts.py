"""Ctrl-C once: come to an orderly end. Twice: now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM")
"""SIGTERM is how schedulers of clusters announce that the time is up."""


@contextlib.contextmanager
def remember_interrupts() -> Iterator[list[int]]:
    """Within the block, Ctrl-C raises KeyboardInterrupt as always, and is in the list it yields.

    Libraries have clauses that catch everything, most of all while they are imported; whoever has
    the list sees that a Ctrl-C got lost in one.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    def remember(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def heed_interrupts(
    first: Callable[[], None],
    second: Callable[[], None],
    note: Callable[[str], None],
    earlier: Sequence[int] = (),
) -> Iterator[None]:
    """Within the block, call ``first`` at the first interrupt and ``second`` at the next ones.

    Where there were ``earlier`` ones, ``first`` is called at once. Outside the main thread signals
    cannot be had, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = len(earlier)
    if earlier:
        first()

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
    before = {number: signal.signal(number, heed) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_turn(note: Callable[[str], None], text: str, act: Callable[[], None]) -> None:
    act()
    note(text)
