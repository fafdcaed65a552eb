"""A worker process from both sides: what the controller holds, and what runs inside.

Between them is a pipe of pickled messages. Down go the work and a :class:`Decision` for each
:class:`EpochReport`; up come reports, notes, and at last how the work ended. Silence is an end
too: the process died.
"""

import contextlib
import faulthandler
import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from sweeper.errors import TrialFailed
from sweeper.execute.executor import Channel, Placement
from sweeper.execute.failures import described, no_log
from sweeper.execute.outcome import Raised, Returned, attempt
from sweeper.execute.output import redirect_output
from sweeper.records import Decision, EpochReport, Note

if TYPE_CHECKING:
    # the second is not there on Windows
    from multiprocessing.context import ForkServerContext, SpawnContext

Context: TypeAlias = "SpawnContext | ForkServerContext"

_STACKS_SIGNAL: int = getattr(signal, "SIGUSR2", signal.SIGTERM)
"""Ends a worker; before that, its log gets the stack of each of its threads."""


class Worker:
    """The controller's side of one worker process.

    Threads that share a ``context`` must not start, join or close workers at the same time.
    """

    def __init__(self, context: Context, log: Path, place: Placement | None) -> None:
        self._pipe, self._theirs = context.Pipe()
        # not a daemon: those may have no children of their own
        self._process = context.Process(target=_serve, args=(self._theirs, log, place))
        self.killed = False

    @property
    def started(self) -> bool:
        return self._process.pid is not None

    def start(self) -> None:
        """Start the process.

        Raises:
            OSError, EOFError: the system or the fork server refuses.
        """
        self._process.start()
        self._theirs.close()

    def converse(
        self, work: bytes, channel: Channel, deadline: float | None
    ) -> Returned | Raised | Literal["silent", "late"]:
        """Hand over the pickled work and answer it until it ends, dies or the deadline is there.

        ``deadline`` is in seconds of :func:`time.monotonic`, without those in which the channel
        decides about a report. Errors of ``channel`` pass through.
        """
        self._send(work)
        while True:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait([self._pipe, self._process.sentinel], remaining)
            if not ready:
                return "late"
            try:
                # the process is watched because a grandchild may hold the pipe open; the pipe is
                # looked at once more because last words may come just before the end
                if self._pipe not in ready and not self._pipe.poll():
                    return "silent"
                data = self._pipe.recv_bytes()
            except (OSError, EOFError):
                return "silent"
            try:
                message = pickle.loads(data)
            except Exception as error:
                reason = f"what the work sent cannot be read: {described(error)}"
                return Raised(TrialFailed(reason))
            if isinstance(message, Returned | Raised):
                return message
            # work that talks without a pause is always ready, and never late by the wait above
            if remaining == 0:
                return "late"
            if isinstance(message, EpochReport):
                asked = time.monotonic()
                self._send(pickle.dumps(channel.report(message)))
                if deadline is not None:  # the study's store may be away: the work only waits
                    deadline += time.monotonic() - asked
            else:
                channel.note(message)

    def kill(self) -> None:
        """End the process and all that it started, now."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        # a process that has just been started leads no group yet
        if not self.wait(0):
            self._process.kill()

    def show_stacks(self) -> None:
        """End the process; where the system can, its log first gets the stacks of its threads."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, _STACKS_SIGNAL)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the process; whether it came."""
        return bool(wait([self._process.sentinel], seconds))

    def close(self) -> int | None:
        """Forget a process that has ended, or never started; return its exit code."""
        exitcode = None
        if self.started:
            self._process.join()
            exitcode = self._process.exitcode
        self._process.close()
        self._theirs.close()
        self._pipe.close()
        return exitcode

    @property
    def _pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def _send(self, data: bytes) -> None:
        # a worker that has died meanwhile is noticed when it is listened to
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send_bytes(data)


class _PipeChannel:
    """The worker's end of the conversation."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        # a decision must reach the thread that asked for it
        self._lock = threading.Lock()

    def report(self, report: EpochReport) -> Decision:
        with self._lock:
            self._pipe.send_bytes(pickle.dumps(report))
            decision: Decision = pickle.loads(self._pipe.recv_bytes())
        return decision

    def note(self, note: Note) -> None:
        with self._lock:
            self._pipe.send_bytes(pickle.dumps(note))


def _serve(pipe: Connection, log: Path, place: Placement | None) -> None:
    """Body of the process: receive the pickled work, run it, send how it ended, exit."""
    _leave_terminal()
    try:
        redirect_output(log)
    except OSError as error:
        pipe.send_bytes(pickle.dumps(Raised(no_log(log, error))))
        return
    # line by line, so that the log of a killed worker ends where the worker did
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        faulthandler.register(_STACKS_SIGNAL, chain=True)
    threading.Thread(target=_die_with_controller, name="controller watch", daemon=True).start()
    if place is not None:
        _settle(place)
    outcome = attempt(pipe.recv_bytes(), _PipeChannel(pipe))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a full disk must not silence the outcome
            stream.flush()
    pipe.send_bytes(outcome)
    pipe.close()


def _leave_terminal() -> None:
    """Keep Ctrl-C away: the controller decides what it means for a trial."""
    # a SIGINT that was blocked until now and is waiting is forgotten here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        # the leader of a session leads a process group too: it can be ended with all of its
        # subprocesses, and these find SIGINT as programs expect it
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _die_with_controller() -> None:
    """Wait for the controller's death, however sudden, and follow with all subprocesses.

    Its sentinel is a pipe that the controller alone holds open, with a fork server as without.
    """
    controller = multiprocessing.parent_process()
    assert controller is not None
    wait([controller.sentinel])
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _settle(place: Placement) -> None:
    os.environ.update(place.environment)
    if place.cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, place.cores)
