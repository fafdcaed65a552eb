"""Work done on the spot: for debugging, and for objectives that cost nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from sweeper.errors import SweeperError
from sweeper.execute.executor import Asked, Channel, Placement, Work, WorkFiles
from sweeper.execute.failures import failure
from sweeper.execute.this_machine import OnThisMachine


class InlineExecutor(OnThisMachine):
    """Runs the work in the thread that calls :meth:`run`.

    A debugger stops in it, and it costs microseconds where a process costs a third of a second.
    What only a process of its own can give does not hold here: work that crashes or exits takes
    the controller along, memory is not given back, work cannot be ended from outside, ``place``
    changes nothing, and output goes where the controller's goes: ``log`` is not written, and a
    failure has no tail of it. Two threads share one working directory and one environment.
    """

    in_processes: ClassVar[bool] = False

    @staticmethod
    def placements(_asked: Asked) -> tuple[Placement, ...]:
        """One, this process."""
        return (Placement(),)

    @classmethod
    def open(cls, _preload: Sequence[str], _log: Path, _asked: Asked) -> "InlineExecutor":
        """One that needs neither modules nor a log."""
        return cls()

    def run(
        self,
        work: Work,
        log: Path,
        channel: Channel,
        place: Placement | None = None,
        timeout: float | None = None,
        files: WorkFiles | None = None,
    ) -> Any:
        """See :class:`~sweeper.execute.executor.Executor`.

        Raises:
            ValueError: a ``timeout`` is given, and nothing here could keep it.
        """
        if timeout is not None:
            raise ValueError(
                f"work that runs inline cannot be stopped after {timeout:g} s; leave out the "
                "timeout, or run the work in a process"
            )
        try:
            return work(channel)
        except SweeperError:
            raise
        except Exception as error:
            raise failure(error) from error

    def kill(self) -> None:
        """Do nothing: work of this thread cannot be ended from another one."""
