"""Signals that ask this process to end, handled for the length of a block."""

import contextlib
import os
import signal
import socket
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
    handled_here = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled_here}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextlib.contextmanager
def watched(names: Sequence[str], act: Callable[[int], None]) -> Iterator[None]:
    """Within the block a thread calls ``act`` with the number of each of the signals ``names``.

    Python calls a handler when the main thread executes bytecode again. A signal that comes right
    before that thread begins to wait for a lock, or that the system gives to another thread, does
    not end the wait, so that a handler may be called hours later. The byte that Python writes for
    each signal, in whichever thread, is read here at once.

    Only signals that have a handler of Python (:func:`handled`) are watched, and only from the main
    thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = {getattr(signal, name) for name in names if hasattr(signal, name)}

    def watch(bytes_of_python: socket.socket) -> None:
        while read := bytes_of_python.recv(1):
            if read[0] in numbers:
                leave_dead_screen()
                act(read[0])

    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    watcher = threading.Thread(target=watch, args=(ours,), name="signals", daemon=True)
    watcher.start()
    before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        pythons.close()  # which the watcher reads as an end
        watcher.join()
        ours.close()


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
