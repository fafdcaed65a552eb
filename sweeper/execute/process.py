"""One fresh process for each piece of work, started warm.

A fork server imports the heavy modules once; each worker is a fork of it (0.3 s where importing
TensorFlow anew takes 3.6 s). A process per trial gives back all memory, and takes a crash alone.
Where the system has no fork server (Windows), processes are spawned.
"""

import contextlib
import faulthandler
import io
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

import cloudpickle

from sweeper.errors import SweeperError, TrialFailed
from sweeper.execute.base import OnReport, Work
from sweeper.execute.output import output_to, redirect_output, tail
from sweeper.records import Decision, EpochReport

_GRACE_SECONDS = 5
"""How long a worker that was told to end may take before it is killed."""


class _PipeChannel:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def report(self, report: EpochReport) -> Decision:
        self._pipe.send(report)
        decision: Decision = self._pipe.recv()
        return decision


def _work(pipe: Connection, payload: bytes, log: Path) -> None:
    """Body of a worker process: run the work, send how it ended, exit."""
    # Ctrl-C reaches the whole process group; the controller decides what it means for a trial
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    redirect_output(log)
    # line by line, so that the log of a killed worker ends where the worker did
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    faulthandler.enable()
    outcome: tuple[str, Any]
    try:
        outcome = "done", cloudpickle.loads(payload)(_PipeChannel(pipe))
    except SweeperError as error:
        outcome = "raised", error
    except Exception as error:
        traceback.print_exc()
        outcome = "raised", TrialFailed(f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    sys.stderr.flush()
    pipe.send(outcome)
    pipe.close()


class ProcessExecutor:
    """Starts workers from a fork server that has ``preload`` imported."""

    def __init__(self, preload: Sequence[str], server_log: Path) -> None:
        self._context: SpawnContext | ForkServerContext = multiprocessing.get_context("spawn")
        if "forkserver" in multiprocessing.get_all_start_methods():
            from multiprocessing import forkserver

            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(list(preload))
            # the server keeps the output it starts with, and preloading TensorFlow is chatty
            with output_to(server_log):
                forkserver.ensure_running()

    def run(self, work: Work, log: Path, on_report: OnReport) -> Any:
        """See :class:`~sweeper.execute.base.Executor`."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(theirs, cloudpickle.dumps(work), log), daemon=False
        )
        process.start()
        theirs.close()
        try:
            while True:
                message = ours.recv()
                if isinstance(message, EpochReport):
                    ours.send(on_report(message))
                else:
                    break
        except (EOFError, ConnectionResetError):
            process.join()
            raise TrialFailed(_epitaph(process.exitcode), tail(log)) from None
        except BaseException:
            _end(process)
            raise
        finally:
            ours.close()
        process.join(_GRACE_SECONDS)
        _end(process)
        kind, value = message
        if kind == "done":
            return value
        if isinstance(value, TrialFailed):
            raise TrialFailed(value.reason, tail(log))
        raise value


def _epitaph(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = str(-exitcode)
        with contextlib.suppress(ValueError):
            name = signal.Signals(-exitcode).name
        return f"killed by {name}"
    return f"the process ended without a word (exit code {exitcode})"


def _end(process: "multiprocessing.process.BaseProcess") -> None:
    if process.is_alive():
        process.terminate()
        process.join(_GRACE_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()
