"""Signals that ask this process to end, handled for the length of a block."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def handled(names: Sequence[str], handler: Handler) -> Iterator[None]:
    """Within the block ``handler`` is called with the signals ``names`` that the system has.

    A signal that this process was started to ignore (Ctrl-C, in the background of a script) stays
    ignored. Outside the main thread signals cannot be had, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        leave_dead_screen()
        handler(number, frame)

    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def leave_dead_screen() -> None:
    """Send output nowhere where its terminal was closed: each write would be an error."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError:
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
