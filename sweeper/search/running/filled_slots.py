"""Slots that take work one piece after the other; none waits for another."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from sweeper.execute.executor import Placement
from sweeper.search.session import Session

Work = TypeVar("Work")

_ROOM_SECONDS = 5
"""Between two looks for more room, where that may grow."""


class FilledSlots(ABC, Generic[Work]):
    """Each slot has a thread, which asks for work, does it, and at once asks for the next.

    Args:
        session: the study and all that its slots share.
        placements: where each slot runs its work.
    """

    def __init__(self, session: Session, placements: Sequence[Placement]) -> None:
        self._session = session
        self._placements = placements
        self._done = False

    @abstractmethod
    def _next(self) -> Work | None:
        """Wait until more may begin; None at the end. Called by all threads."""

    @abstractmethod
    def _waits(self) -> bool:
        """Whether there is work that was begun before, and is to be done again."""

    @abstractmethod
    def _run(self, slot: int, place: Placement, work: Work) -> None:
        """Do ``work`` in a slot, at ``place``. What it raises ends the sweep."""

    def run(self) -> None:
        """Fill the slots until there is no more work, or the sweep is interrupted.

        Raises:
            BaseException: what ended a slot, unless it is a failure of its work.
        """
        if len(self._placements) == 1 and self._session.executor.room() is None:
            self._fill(0)  # in this thread, where a debugger and inline work belong
        else:
            threads = [self._started(slot) for slot in range(len(self._placements))]
            while running := [thread for thread in threads if thread.is_alive()]:
                running[0].join(_ROOM_SECONDS)
                for slot in range(len(threads), self._session.executor.room() or 0):
                    if self._has_ended():
                        break
                    place = self._placements[0].name
                    self._session.progress.slot_added(place)
                    threads.append(self._started(slot))
        if self._session.stop_signal.faults:
            raise self._session.stop_signal.faults[0]

    def interrupt(self) -> None:
        """Begin nothing any more; what runs stops at its next report, or ends."""
        self._session.stop_signal.interrupt()

    @property
    def interrupted(self) -> bool:
        """Whether it ended before all was done."""
        return self._session.stop_signal.interrupted

    def _started(self, slot: int) -> threading.Thread:
        thread = threading.Thread(target=self._fill, args=(slot,), name=f"slot {slot}")
        thread.start()
        return thread

    def _fill(self, slot: int) -> None:
        try:
            while self._work(slot):
                pass
        except BaseException as error:
            self._session.stop_signal.fail(error)

    def _work(self, slot: int) -> bool:
        """Work in a slot until nothing is left to do, or its place is lost; whether it was that."""
        # what there is room for later is alike
        own = self._placements[min(slot, len(self._placements) - 1)]
        say = self._session.progress.note
        with self._session.executor.slot(own, say, self._has_ended) as place:
            while place is not None and self._session.executor.holds(place):
                work = self._next()
                if work is None:
                    self._done = True
                    return False
                self._run(slot, place, work)
            return place is not None

    def _has_ended(self) -> bool:
        """Whether no work is left for a slot without room: none waits, and a slot found none."""
        return self._session.stop_signal.interrupted or (self._done and not self._waits())
