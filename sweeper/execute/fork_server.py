"""The process that workers are forked from, and starting it as it should be."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from sweeper.execute.output import output_to
from sweeper.execute.worker import Context


class ForkServer:
    """multiprocessing's fork server with ``preload`` imported, where the system has such a thing.

    Args:
        preload: names of the modules that it imports.
        log: file for what it writes to its screen.
        start_method: ``forkserver`` or ``spawn``; None takes the first where there is one.
    """

    def __init__(
        self,
        preload: Sequence[str],
        log: Path,
        start_method: Literal["forkserver", "spawn"] | None = None,
    ) -> None:
        self._log = log
        self.context: Context = multiprocessing.get_context("spawn")
        """What starts a worker."""
        if start_method is None and "forkserver" in multiprocessing.get_all_start_methods():
            start_method = "forkserver"
        self._is_used = start_method == "forkserver"
        if self._is_used:
            self.context = multiprocessing.get_context("forkserver")
            self.context.set_forkserver_preload([*preload])

    def ensure(self) -> None:
        """Start it unless it runs; also when one has died since.

        Raises:
            OSError: it cannot be started.
        """
        if not self._is_used:
            return
        from multiprocessing import forkserver

        # multiprocessing starts it anew without being asked, but the server keeps the output that
        # it starts with, and preloading TensorFlow is chatty. Whether it runs is not public; where
        # it is wrongly taken for running, that chatter reaches the screen, no more
        pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
        if pid is None or _has_ended(pid):
            with output_to(self._log):
                forkserver.ensure_running()


def _has_ended(child: int) -> bool:
    # macOS has no waitid before Python 3.13
    return hasattr(os, "waitid") and bool(
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    )


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Within the block SIGINT is blocked, so that it cannot hit a process before it is ready.

    A new process inherits the mask, a worker through its fork server.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # multiprocessing starts it with the first process, and then unblocks SIGINT
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
