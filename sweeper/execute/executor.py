"""The border between a controller and the processes that work for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sweeper.errors import SweeperError, TrialFailed
from sweeper.records import Decision, EpochReport, Note


class Channel(Protocol):
    """How a worker and its controller exchange messages. Both ends have these methods."""

    def report(self, report: EpochReport) -> Decision:
        """Report how far the work is; the decision says whether to continue."""
        ...

    def note(self, note: Note) -> None:
        """Say something that shall be remembered or shown; there is no answer."""
        ...


class SilentChannel:
    """The controller's end for work whose reports nobody needs."""

    def report(self, _report: EpochReport) -> Decision:
        """Let the work continue."""
        return Decision()

    def note(self, _note: Note) -> None:
        """Forget it."""


Work = Callable[[Channel], Any]
"""What a worker runs. It, and what it returns, must be picklable (by cloudpickle)."""


@dataclass(frozen=True)
class Placement:
    """Where one slot's work runs.

    ``name`` is what a person sees (``gpu 0``, ``cpu``). ``environment`` is set before the work
    begins, so before TensorFlow looks for devices. ``cores`` are the processors that it may use,
    None for all.
    """

    name: str = "cpu"
    environment: Mapping[str, str] = field(default_factory=dict)
    cores: frozenset[int] | None = None


@dataclass(frozen=True)
class Asked:
    """How many slots a person asks for, and where; ``devices.py`` says what each means."""

    devices: str | Sequence[int | str] = "auto"
    trials_per_device: int | None = None
    n_jobs: int | None = None
    threads: int | None = None


def run_logged(
    executor: "Executor", work: Work, log: Path, channel: Channel, place: Placement | None = None
) -> Any:
    """Run ``work`` that is no trial.

    Raises:
        SweeperError: as :meth:`Executor.run` does; where the work failed, with the path of its log.
    """
    try:
        return executor.run(work, log, channel, place)
    except TrialFailed as error:
        raise SweeperError(f"{error.reason}\nlog: {log}") from error


class Executor(Protocol):
    """Runs one piece of work at a time for each thread that calls it."""

    def run(
        self,
        work: Work,
        log: Path,
        channel: Channel,
        place: Placement | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run ``work`` at ``place``, its output going to ``log``, and return what it returns.

        Raises:
            SweeperError: whatever error of this package the work raised.
            MachineFault: the machine has no process or no log for it, or what it raised is about
                the machine: a full disk, no file handles.
            TrialFailed: the work raised something else, its process died or took more than
                ``timeout`` seconds; the cause says which.
        """
        ...

    def kill(self) -> None:
        """End all work now; each :meth:`run` in another thread raises TrialFailed."""
        ...


class ExecutorKind(Protocol):
    """What is known of a kind of executors before one is opened: its class."""

    @property
    def in_processes(self) -> bool:
        """Whether each work has a process of its own, which imports the application's script."""
        ...

    def placements(self, asked: Asked) -> tuple[Placement, ...]:
        """One placement for each slot.

        Raises:
            ConfigError: what is asked for is not there, or does not fit.
        """
        ...

    def open(self, preload: Sequence[str], log: Path) -> Executor:
        """An executor that is ready to run work.

        Args:
            preload: modules that its processes find imported.
            log: file for what it writes beside the logs of its work.
        """
        ...
