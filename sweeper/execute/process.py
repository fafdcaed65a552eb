"""One fresh process for each piece of work, started warm.

A fork server imports the heavy modules once; each worker is a fork of it (0.3 s where importing
TensorFlow anew takes 3.6 s). A process per trial gives back all memory, and takes a crash alone.
Where the system has no fork server (Windows), processes are spawned.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import cloudpickle

from sweeper.errors import TrialFailed
from sweeper.execute.devices import plan_placements, usable_cores, visible_devices
from sweeper.execute.executor import Asked, Channel, Placement, Work, WorkFiles
from sweeper.execute.failures import count_oom_kills, death, described, no_process
from sweeper.execute.outcome import Raised, Returned
from sweeper.execute.output import output_to, tail
from sweeper.execute.this_machine import OnThisMachine
from sweeper.execute.worker import Context, Worker
from sweeper.records import Cause

_GRACE_SECONDS = 5
"""How long a worker that has nothing more to do may take to end before it is killed."""

_SERVERS = 4
"""How many fork servers may die in a row, each while it starts a worker."""


class ProcessExecutor(OnThisMachine):
    """Starts workers from a fork server that has ``preload`` imported.

    Any number of threads may call :meth:`run` at once; each has its worker. A worker leads a
    session of its own: Ctrl-C does not reach it, what it started ends with it, and it ends when
    the controller does.

    Args:
        preload: names of the modules that the fork server imports.
        server_log: file for what the fork server writes to its screen.
        start_method: ``forkserver`` or ``spawn``; None takes the first where there is one.
    """

    in_processes: ClassVar[bool] = True

    @staticmethod
    def placements(asked: Asked) -> tuple[Placement, ...]:
        """On the devices and processors of this machine."""
        return plan_placements(asked, visible=visible_devices(), cores=usable_cores())

    @classmethod
    def open(cls, preload: Sequence[str], log: Path, _asked: Asked) -> "ProcessExecutor":
        """One whose fork server runs, where the system has such a thing."""
        return cls(preload, log)

    def __init__(
        self,
        preload: Sequence[str],
        server_log: Path,
        start_method: Literal["forkserver", "spawn"] | None = None,
    ) -> None:
        # multiprocessing reaps ended children whenever it starts one, and two threads that
        # reap the same child can lose its exit code. Reentrant, for a signal handler that
        # kills while its own thread starts a worker
        self._lock = threading.RLock()
        self._running: set[Worker] = set()
        self._kills = 0
        self._server_log = server_log
        self._context: Context = multiprocessing.get_context("spawn")
        if start_method is None and "forkserver" in multiprocessing.get_all_start_methods():
            start_method = "forkserver"
        if start_method == "forkserver":
            self._context = multiprocessing.get_context("forkserver")
            # our own part costs each worker 50 ms otherwise
            self._context.set_forkserver_preload([Worker.__module__, *preload])
            with _interrupts_held():
                self._ensure_server()

    def run(
        self,
        work: Work,
        log: Path,
        channel: Channel,
        place: Placement | None = None,
        timeout: float | None = None,
        files: WorkFiles | None = None,
    ) -> Any:
        """See :class:`~sweeper.execute.executor.Executor`; an error of ``channel`` ends the work.

        ``timeout`` counts from the call, so it covers the start of the process.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        kills, oom_kills = self._kills, count_oom_kills()
        try:
            payload = cloudpickle.dumps(work)
        except Exception as error:
            raise TrialFailed(f"the work cannot be sent: {described(error)}") from error
        worker = self._new_worker(log, place, kills)
        try:
            outcome = worker.converse(payload, channel, deadline)
            if outcome == "late":
                worker.show_stacks()
            worker.wait(_GRACE_SECONDS)
        finally:
            exitcode = self._end(worker)
        if isinstance(outcome, Returned):
            return outcome.value
        if isinstance(outcome, Raised):
            if not isinstance(outcome.error, TrialFailed):
                raise outcome.error
            failed = outcome.error
        elif outcome == "late":
            failed = TrialFailed(f"no end after {timeout:g} s", cause=Cause.TIMEOUT)
        elif worker.killed:
            failed = TrialFailed("killed by its controller", cause=Cause.KILLED)
        else:
            failed = death(exitcode, out_of_memory=count_oom_kills() > oom_kills)
        # a worker that fails before it has a log says so in the fork server's log
        words = tail(log if log.exists() else self._server_log)
        raise TrialFailed(failed.reason, words, failed.cause)

    def kill(self) -> None:
        """End all work now: each :meth:`run` that has begun raises TrialFailed.

        Safe in any thread and in a signal handler. Later runs are not concerned.
        """
        with self._lock:
            self._kills += 1
            for worker in tuple(self._running):
                worker.killed = True
                worker.kill()

    def _new_worker(self, log: Path, place: Placement | None, kills: int) -> Worker:
        """A worker that runs.

        Raises:
            MachineFault: no process could be started.
        """
        for left in reversed(range(_SERVERS)):
            try:
                return self._try_worker(log, place, kills)
            except (EOFError, ConnectionError) as error:
                # the fork server has just died: the next one may live
                if not left:
                    raise no_process(error) from error
        raise AssertionError

    def _try_worker(self, log: Path, place: Placement | None, kills: int) -> Worker:
        try:
            worker = Worker(self._context, log, place)
            try:
                self._start(worker, kills)
            except BaseException:
                self._end(worker)
                raise
        except ConnectionError:
            raise
        except OSError as error:
            raise no_process(error) from error
        return worker

    def _start(self, worker: Worker, kills: int) -> None:
        with self._lock, _interrupts_held():
            self._ensure_server()
            worker.start()
            self._running.add(worker)
            # a kill that came since the run began found no worker yet
            if self._kills != kills:
                worker.killed = True
                worker.kill()

    def _end(self, worker: Worker) -> int | None:
        """End the worker and what it started, if anything is left; return its exit code."""
        if worker.started:
            worker.kill()
            worker.wait()
        with self._lock:
            self._running.discard(worker)
            return worker.close()

    def _ensure_server(self) -> None:
        """Start the fork server unless it runs; also when one has died since."""
        if self._context.get_start_method() != "forkserver":
            return
        from multiprocessing import forkserver

        # multiprocessing starts it anew without being asked, but the server keeps the output that
        # it starts with, and preloading TensorFlow is chatty. Whether it runs is not public; where
        # it is wrongly taken for running, that chatter reaches the screen, no more
        pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
        if pid is None or _has_ended(pid):
            with output_to(self._server_log):
                forkserver.ensure_running()


def _has_ended(child: int) -> bool:
    # macOS has no waitid before Python 3.13
    return hasattr(os, "waitid") and bool(
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    )


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
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
