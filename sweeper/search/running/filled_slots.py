"""Slots that take work one piece after the other; none waits for another."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from sweeper.execute.executor import Placement
from sweeper.search.session import Session

Work = TypeVar("Work")


class FilledSlots(ABC, Generic[Work]):
    """Each slot has a thread, which asks for work, does it, and at once asks for the next.

    Args:
        session: the study and all that its slots share.
        placements: where each slot runs its work.
    """

    def __init__(self, session: Session, placements: Sequence[Placement]) -> None:
        self._session = session
        self._placements = placements

    @abstractmethod
    def _next(self) -> Work | None:
        """Wait until more may begin; None at the end. Called by all threads."""

    @abstractmethod
    def _run(self, slot: int, work: Work) -> None:
        """Do ``work`` in a slot. What it raises ends the sweep."""

    def run(self) -> None:
        """Fill the slots until there is no more work, or the sweep is interrupted.

        Raises:
            BaseException: what ended a slot, unless it is a failure of its work.
        """
        count = len(self._placements)
        if count == 1:  # in this thread, where a debugger and inline work belong
            self._fill(0)
        else:
            threads = [
                threading.Thread(target=self._fill, args=(slot,), name=f"slot {slot}")
                for slot in range(count)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._session.stop_signal.faults:
            raise self._session.stop_signal.faults[0]

    def interrupt(self) -> None:
        """Begin nothing any more; what runs stops at its next report, or ends."""
        self._session.stop_signal.interrupt()

    @property
    def interrupted(self) -> bool:
        """Whether it ended before all was done."""
        return self._session.stop_signal.interrupted

    def _fill(self, slot: int) -> None:
        try:
            while (work := self._next()) is not None:
                self._run(slot, work)
        except BaseException as error:
            self._session.stop_signal.fail(error)
