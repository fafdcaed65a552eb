"""What a display of a study is called with, and what of the study it is given."""

from dataclasses import dataclass
from typing import Protocol

from sweeper.records import Advance, EpochReport, StudySummary, TrialRow, TrialSpec


class Progress(Protocol):
    """Called with what happens in a study, from several threads at once."""

    def note(self, text: str) -> None:
        """Show lines that stay."""
        ...

    def slot_added(self, place: str) -> None:
        """There is one slot more, at ``place``."""
        ...

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        """Trial ``spec`` begins in ``slot``, counted from 0."""
        ...

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        """An epoch of trial ``spec`` has ended."""
        ...

    def advance(self, slot: int, spec: TrialSpec, advance: Advance) -> None:
        """Trial ``spec`` is so far with what it does before or within an epoch."""
        ...

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        """Trial ``row`` has ended in ``slot``; ``summary`` holds all rows, of others too."""
        ...

    def close(self) -> None:
        """Leave the screen as a finished display. A second call does nothing."""
        ...


@dataclass(frozen=True)
class Outline:
    """What of a study stays the same while it is shown.

    Attributes:
        slots: for each slot the name of its place, such as ``gpu 0``.
        total: how many trials the study shall have, None for no limit.
        parameters: dotted names of all that is searched.
        reported: name of what trials report, which need not be what they are judged by.
        began: when the command did, by the clock of the display; None for when that is opened.
        what: what each of them is called, before its number.
    """

    slots: tuple[str, ...] = ("cpu",)
    total: int | None = None
    parameters: tuple[str, ...] = ()
    reported: str = "value"
    began: float | None = None
    what: str = "trial"
