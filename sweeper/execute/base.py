"""The border between a controller and the processes that work for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sweeper.records import Decision, EpochReport


class Channel(Protocol):
    """The worker's end: says how far it is, hears whether to go on."""

    def report(self, report: EpochReport) -> Decision:
        """Send ``report`` to the controller and wait for its decision."""
        ...


Work = Callable[[Channel], Any]
"""What a worker runs. It, and what it returns, must be picklable (by cloudpickle)."""

OnReport = Callable[[EpochReport], Decision]


class Executor(Protocol):
    """Runs one piece of work at a time for each caller."""

    def run(self, work: Work, log: Path, on_report: OnReport) -> Any:
        """Run ``work``, its output going to ``log``, and return what it returns.

        Raises:
            SweeperError: whatever error of this package the work raised.
            TrialFailed: the work raised something else, or its process died; the third case,
                silence, is a failure with a name too.
        """
        ...
