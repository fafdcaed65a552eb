"""Errors, named by what the caller does with them.

::

    SweeperError
    |-- ConfigError      stop: the recipe is wrong; lists every fault, nothing has been started
    |-- MissingInput     stop: data, weights or a model are not there; says where it looked
    |-- SweepInterrupted stop: a person, or a scheduler, ended the sweep; all is closed
    |-- Outage           stop: no trial is at fault and none counts; the same command continues
    |   |-- MachineFault a disk, file handles or processes have run out
    |   |-- StudyLost    the study's files were deleted or moved
    |   `-- TrackerError results cannot be recorded
    `-- TrialError       record it and continue with the next trial
        |-- TrialPruned  the trial is hopeless or was stopped; carries the reason
        `-- TrialFailed  it raised, or its process died; carries the reason and the log's tail
"""

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sweeper.records import Cause


class SweeperError(Exception):
    """Base of everything this package raises on purpose; its text is fit for a person's screen."""

    exit_code = 1
    """Of a command that ends with this error: 2 where what was asked for is at fault."""


class ConfigError(SweeperError):
    """The recipe cannot be run. ``faults`` holds one sentence for each thing that is wrong."""

    exit_code = 2

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "1 fault"
        super().__init__(
            f"the recipe has {count}:\n" + "\n".join(f"  - {fault}" for fault in self.faults)
        )

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)


class MissingInput(SweeperError):
    """Data, weights or a model are absent and cannot be fetched."""

    exit_code = 2


class SweepInterrupted(SweeperError):
    """The sweep ended in order before its study was done; the same command continues it.

    ``number`` is the signal that asked for it.
    """

    def __init__(self, text: str, number: int = signal.SIGINT) -> None:
        super().__init__(text)
        self.exit_code = 128 + number


class Outage(SweeperError):
    """What every trial needs is not available. ``reason`` says what, in one sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MachineFault(Outage):
    """This machine lacks disk space, file handles, processes, or may not write."""


class StudyLost(Outage):
    """The files of a study that runs were deleted, moved or replaced."""


class TrackerError(Outage):
    """The tracker cannot be used: results cannot be recorded.

    ``cause`` says why, in a few words.
    """

    def __init__(self, reason: str, cause: str = "") -> None:
        super().__init__(reason)
        self.cause = cause or reason

    def __reduce__(self) -> tuple[type["TrackerError"], tuple[str, str]]:
        return type(self), (self.reason, self.cause)


class TrialError(SweeperError):
    """One trial ended early; the study continues."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TrialPruned(TrialError):
    """The trial stops here because to continue would be a waste."""


class TrialFailed(TrialError):
    """The trial did not finish. ``log_tail`` is the end of what it had written."""

    def __init__(self, reason: str, log_tail: str = "", cause: Cause = Cause.RAISED) -> None:
        super().__init__(reason)
        self.log_tail = log_tail
        self.cause = cause

    def __reduce__(self) -> tuple[type["TrialFailed"], tuple[str, str, Cause]]:
        return type(self), (self.reason, self.log_tail, self.cause)


class Findings:
    """What is missing and what does not fit, until all has been looked at."""

    def __init__(self) -> None:
        self._missing: list[str] = []
        self._faults: list[str] = []

    def add(self, faults: Iterable[str]) -> None:
        """Keep sentences about what does not fit."""
        self._faults += faults

    def lacks(self, text: str | None) -> None:
        """Keep ``text`` about what is not there, if there is one."""
        self._missing += [text] if text else []

    def __bool__(self) -> bool:
        return bool(self._missing or self._faults)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep what is raised within, and continue after it."""
        try:
            yield
        except MissingInput as error:
            self._missing.append(str(error))
        except ConfigError as error:
            self._faults += error.faults

    def raise_if_any(self) -> None:
        """Raise all that was kept, each once, as one error."""
        self._missing = list(dict.fromkeys(self._missing))
        self._faults = list(dict.fromkeys(self._faults))
        if self._missing:
            raise MissingInput("\n".join([*self._missing, *self._faults]))
        if self._faults:
            raise ConfigError(self._faults)
