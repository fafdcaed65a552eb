"""A study in a pipe, a log, or CI: one line an event."""

import threading
import time
from collections.abc import Callable

from rich.console import Console

from sweeper.display.console import SECONDS_BETWEEN_LINES
from sweeper.display.interface import Outline
from sweeper.display.trial_text import advanced, describe, ending, lines, number, one_line, point
from sweeper.records import Advance, EpochReport, StudySummary, TrialRow, TrialSpec


class LineProgress:
    """One line an event: fit for a pipe, a log, or CI."""

    def __init__(
        self,
        console: Console,
        outline: Outline,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._outline = outline
        self._clock = clock
        self._said: dict[int, float] = {}
        # a signal handler may print while the main thread does
        self._lock = threading.RLock()

    def note(self, text: str) -> None:
        self._say(lines(text))

    def slot_added(self, place: str) -> None:
        pass

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        described = describe(spec.params, self._outline.parameters)
        params = f": {described}" if spec.params else ""
        # numbers count from 0, and pass the total where trials were tried again
        total = self._outline.total
        counted = total is not None and spec.number < total and self._outline.what == "trial"
        of_total = f" of {total}" if counted else ""
        self._said[slot] = self._clock()
        self._say(f"{self._outline.what} {spec.number}{of_total} started{params}")

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        metrics = "  ".join(f"{one_line(key)} {number(m)}" for key, m in report.metrics.items())
        shown = metrics or number(report.value)
        self._said[slot] = self._clock()
        self._say(f"{self._outline.what} {spec.number} {point(report)}: {shown}")

    def advance(self, slot: int, spec: TrialSpec, advance: Advance) -> None:
        now = self._clock()
        if now - self._said.setdefault(slot, now) >= SECONDS_BETWEEN_LINES:
            self._said[slot] = now
            self._say(f"{self._outline.what} {spec.number} {advanced(advance)}")

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        self._say(ending(row, summary, self._outline.parameters, self._outline.what))

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        # not Console.print, which takes a hundred times as long: reports may come by the thousand
        encoding = self._console.encoding
        with self._lock:
            file = self._console.file
            print(text.encode(encoding, "replace").decode(encoding), file=file, flush=True)
