"""What executors have in common whose work runs on this machine."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sweeper.execute.devices import usable_cores
from sweeper.execute.executor import Asked, Placement


class OnThisMachine:
    """Slots that are always free, as many as there were."""

    @staticmethod
    def threads(_asked: Asked) -> int:
        """One for each processor."""
        return len(usable_cores())

    def holds(self, _place: Placement) -> bool:
        """Always."""
        return True

    def room(self) -> None:
        """The machine stays as it is."""

    def slot(
        self, place: Placement, _say: Callable[[str], None], _ended: Callable[[], bool]
    ) -> AbstractContextManager[Placement]:
        """``place`` itself."""
        return nullcontext(place)
