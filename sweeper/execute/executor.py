"""The border between a controller and the processes that work for it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
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
    """How many slots a person asks for, and where.

    ``devices.py`` says what the first four mean, ``on_ray/ray_nodes.py`` the others.
    """

    devices: str | Sequence[int | str] = "auto"
    trials_per_device: int | None = None
    n_jobs: int | None = None
    threads: int | None = None
    address: str = "auto"
    num_cpus: float | None = None
    num_gpus: float | None = None


@dataclass(frozen=True)
class WorkFiles:
    """Files below the study's folder that work uses: it may run where these are not.

    ``made`` are the files and folders that it writes, beside its log; what is there already is for
    it to read. ``needed`` is what it reads elsewhere.
    """

    made: tuple[Path, ...] = ()
    needed: tuple[Path, ...] = ()


def run_logged(
    executor: "Executor",
    work: Work,
    log: Path,
    channel: Channel,
    place: Placement | None = None,
    files: WorkFiles | None = None,
) -> Any:
    """Run ``work`` that is no trial.

    Raises:
        SweeperError: as :meth:`Executor.run` does; where the work failed, with the path of its log.
    """
    try:
        return executor.run(work, log, channel, place, files=files)
    except TrialFailed as error:
        raise SweeperError(f"{error.reason}\nlog: {log}") from error


class Executor(Protocol):
    """Runs one piece of work at a time for each thread that calls it."""

    def slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> AbstractContextManager[Placement | None]:
        """Within the block there is room for one trial at a time: what is yielded is for
        :meth:`run`.

        Args:
            place: of the slot.
            say: called with what is waited for, where that takes long.
            ended: whether nothing is to be run any more; then None is yielded.

        Raises:
            MachineFault: there will be no room.
        """
        ...

    def holds(self, place: Placement) -> bool:
        """Whether there is still room at ``place``, which :meth:`slot` has yielded."""
        ...

    def room(self) -> int | None:
        """How many slots there may be now, where that changes; else None."""
        ...

    def run(
        self,
        work: Work,
        log: Path,
        channel: Channel,
        place: Placement | None = None,
        timeout: float | None = None,
        files: WorkFiles | None = None,
    ) -> Any:
        """Run ``work`` at ``place``, its output going to ``log``, and return what it returns.

        ``log`` and ``files`` are in the study's folder. Paths below that mean the same file for
        the work, wherever it runs.

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

    def threads(self, asked: Asked) -> int:
        """Those of TensorFlow's operations in each trial on the CPU, where nobody asks for any."""
        ...

    def placements(self, asked: Asked) -> tuple[Placement, ...]:
        """One placement for each slot.

        Raises:
            ConfigError: what is asked for is not there, or does not fit.
        """
        ...

    def open(self, preload: Sequence[str], log: Path, asked: Asked) -> Executor:
        """An executor that is ready to run work.

        Args:
            preload: modules that its processes find imported.
            log: for what it writes beside the logs of its work: a file in ``logs/`` of the study.
            asked: where it runs that.
        """
        ...
