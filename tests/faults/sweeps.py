"""Sweeps in processes of their own, watched while faults are made to happen."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
from optuna.trial import FrozenTrial, TrialState
from patience import PATIENCE
from search.controllers import APP, as_in_a_terminal

from sweeper.search.attributes import RETRY_OF

TWENTY = ("x=interval(0,1)", "hydra.sweeper.n_trials=20")
SHARED = (*TWENTY, "hydra.sweeper.heartbeat_interval=3")
DIGITS = (
    *("+experiment=digits_lite0", "-m", "image_size=32", "batch_size=256", "augment=none"),
    *("dataset.fraction=0.5", "phases.frozen.epochs=2", "phases.unfrozen=null"),
    *("~hydra.sweeper.params", "optimizer.learning_rate=interval(1e-3,1e-2)"),
    *("hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1"),
)
"""A sweep of real fine-tunes, as short as they can be."""

_LONGEST = 240
"""Characters of a message in a table."""


class Sweep:
    """A running command; what it prints is read as it comes."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=as_in_a_terminal,  # noqa: PLW1509 - it only sets signals
        )
        self._lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self._lines.append((time.monotonic(), line))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def printed(self) -> str:
        with self._changed:
            return "".join(line for _, line in self._lines)

    def await_line(self, *wanted: str, times: int = 1) -> str:
        """Wait until ``times`` lines hold one of ``wanted``; returns the last of them."""

        def found() -> list[str]:
            return [line for _, line in self._lines if any(words in line for words in wanted)]

        with self._changed:
            came = self._changed.wait_for(
                lambda: self._ended or len(found()) >= times, timeout=PATIENCE
            )
        assert came, f"it never printed {wanted}:\n{self.printed}"
        assert len(found()) >= times, f"it ended without {wanted}:\n{self.printed}"
        return found()[times - 1]

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def kill(self) -> None:
        """End the controller at once; what it started follows by itself."""
        self.process.kill()
        self.end()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    @property
    def silence(self) -> float:
        """The longest time between two lines, in seconds."""
        times = [moment for moment, _ in self._lines]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    @property
    def last_line(self) -> str:
        """The last line that says something."""
        return [line for line in self.printed.splitlines() if line.strip()][-1]


@contextmanager
def running(sweep: Sweep) -> Iterator[Sweep]:
    """Within the block ``sweep`` runs; it is killed at the end."""
    try:
        yield sweep
    finally:
        sweep.signal(signal.SIGCONT)
        sweep.kill()


@contextmanager
def engine(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Sweep]:
    """A sweep of tests/search/mortal_app.py."""
    command = [sys.executable, str(APP), "-m", *arguments]
    with running(Sweep(command, folder, environment)) as sweep:
        yield sweep


@contextmanager
def sweeper(
    folder: Path, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[Sweep]:
    """A command of sweeper."""
    command = [sys.executable, "-m", "sweeper", *words]
    with running(Sweep(command, folder, environment)) as sweep:
        yield sweep


def fork_server(sweep: Sweep) -> psutil.Process:
    """The process from which trials are forked."""
    (found,) = [
        child
        for child in psutil.Process(sweep.process.pid).children()
        if "forkserver" in " ".join(child.cmdline())
    ]
    return found


def trial_processes(sweep: Sweep) -> list[psutil.Process]:
    """The processes of the trials that run."""
    return fork_server(sweep).children()


def counted(trials: Sequence[FrozenTrial], total: int) -> str:
    """How many finished and how many were tried again, in words."""
    complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
    again = sum(RETRY_OF in trial.user_attrs for trial in trials)
    running = sum(trial.state is TrialState.RUNNING for trial in trials)
    return f"{complete} of {total} finished, {again} tried again, {running} left running"


def shortened(text: str, folder: Path) -> str:
    """A message for a table: its beginning, without this test's folder and ports."""
    text = " ".join(text.replace(str(folder), ".").split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    text = re.sub(r"\b\d+(\.\d+){3}:\d+", "127.0.0.1:...", text)  # whatever this machine's is
    return "`" + re.sub(r"port \d+", "port ...", text).replace("`", "'") + "`"
