"""Errors, named by what the caller does with them.

::

    SweeperError
    |-- ConfigError      stop: the recipe is wrong; lists every fault, nothing has been started
    |-- MissingInput     stop: data or weights are not there; says where it looked and what mends it
    |-- SweepInterrupted stop: a person, or a scheduler, ended the sweep; all is closed
    `-- TrialError       record it and go on with the next trial
        |-- TrialPruned  the trial is hopeless or was told to stop; carries the reason
        `-- TrialFailed  it raised, or its process died; carries the reason and the log's tail
"""

from collections.abc import Sequence

from sweeper.records import Cause


class SweeperError(Exception):
    """Base of everything this package raises on purpose; its text is fit for a person's screen."""


class ConfigError(SweeperError):
    """The recipe cannot be run. ``faults`` holds one sentence for each thing that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "1 fault"
        super().__init__(
            f"the recipe has {count}:\n" + "\n".join(f"  - {fault}" for fault in self.faults)
        )

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)


class MissingInput(SweeperError):
    """Data or weights are absent and cannot be fetched."""


class SweepInterrupted(SweeperError):
    """The sweep came to an orderly end before its study did; the same command goes on with it."""


class TrialError(SweeperError):
    """One trial ended early; the study goes on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TrialPruned(TrialError):
    """The trial stops here because going on would be a waste."""


class TrialFailed(TrialError):
    """The trial did not finish. ``log_tail`` is the end of what it had written."""

    def __init__(self, reason: str, log_tail: str = "", cause: Cause = Cause.RAISED) -> None:
        super().__init__(reason)
        self.log_tail = log_tail
        self.cause = cause

    def __reduce__(self) -> tuple[type["TrialFailed"], tuple[str, str, Cause]]:
        return type(self), (self.reason, self.log_tail, self.cause)
