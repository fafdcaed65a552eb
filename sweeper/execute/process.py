"""One fresh process for each piece of work, started warm.

A fork server imports the heavy modules once; each worker is a fork of it (0.3 s where importing
TensorFlow anew takes 3.6 s). A process per trial gives back all memory, and takes a crash alone.
Where the system has no fork server (Windows), processes are spawned.
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import cloudpickle

from sweeper.errors import TrialFailed
from sweeper.execute.devices import plan_placements, usable_cores, visible_devices
from sweeper.execute.executor import Asked, Channel, Placement, Work, WorkFiles
from sweeper.execute.failures import count_oom_kills, death, described, no_process
from sweeper.execute.fork_server import ForkServer, interrupts_held
from sweeper.execute.outcome import Raised, Returned
from sweeper.execute.output import tail
from sweeper.execute.this_machine import OnThisMachine
from sweeper.execute.worker import Worker
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

    Raises:
        MachineFault: the fork server cannot be started.
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
        # our own part costs each worker 50 ms otherwise
        self._server = ForkServer([Worker.__module__, *preload], server_log, start_method)
        self._context = self._server.context
        with interrupts_held():
            try:
                self._server.ensure()
            except OSError as error:
                raise no_process(error) from error

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
        with self._lock, interrupts_held():
            self._server.ensure()
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
