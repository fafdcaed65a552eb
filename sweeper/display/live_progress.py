"""A study in a terminal: a table of slots that keeps changing, below the trials that ended."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from sweeper.display.interface import Outline
from sweeper.display.slot_table import Running, slot_table
from sweeper.display.text_lines import cut, folded, spread
from sweeper.display.trial_text import (
    described,
    elapsed,
    ending,
    leads,
    lines,
    spelled_values,
)
from sweeper.records import Advance, EpochReport, State, StudySummary, TrialRow, TrialSpec

STYLES: Mapping[State, str] = {State.COMPLETE: "", State.PRUNED: "yellow", State.FAILED: "red"}
ROOM_ABOVE = 4
"""Lines of a terminal that the table leaves to the trials that ended last."""
ONE_LINE = 120
"""Columns from which on everything about the study fits on one line."""


@dataclass(frozen=True)
class _Standing:
    """What is shown of the study below the table; ``finish`` is when it ends, by the clock."""

    done: int
    best: tuple[str, ...]
    counts: Text
    finish: float | None = None


class LiveProgress:
    """A table of slots that keeps changing, the study's standing below it, ended trials above.

    Its height is constant: rich moves the cursor up by the height of the last frame, which another
    thread may just have replaced.
    """

    def __init__(
        self,
        console: Console,
        outline: Outline,
        so_far: StudySummary | None,
        clock: Callable[[], float],
    ) -> None:
        self._console = console
        self._outline = outline
        self._clock = clock
        self._began = clock() if outline.began is None else outline.began
        # Taken before the locks of rich, so `frame`, which rich calls under its own, goes without
        self._lock = threading.RLock()
        self._running: dict[int, Running] = {}
        self._seconds: list[float] = []
        self._rows = 0
        self._standing = _Standing(0, (), Text())
        if so_far is not None and so_far.rows:
            self._rows = len(so_far.rows)
            self._standing = self._stand(so_far)
        self._closed = False
        self._live = Live(console=console, get_renderable=self.frame, refresh_per_second=4)
        self._live.start(refresh=True)

    def note(self, text: str) -> None:
        with self._lock:
            self._console.print(Text(lines(text)))

    def slot_added(self, place: str) -> None:
        with self._lock:
            self._outline = replace(self._outline, slots=(*self._outline.slots, place))

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        with self._lock:
            self._running[slot] = Running(spec, self._clock())

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        with self._lock:
            running = self._running.get(slot)
            if running and running.spec.number == spec.number:
                self._running[slot] = replace(running, report=report, advance=None)

    def advance(self, slot: int, spec: TrialSpec, advance: Advance) -> None:
        with self._lock:
            running = self._running.get(slot)
            if running and running.spec.number == spec.number:
                self._running[slot] = replace(running, advance=advance)

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        with self._lock:
            self._running.pop(slot, None)
            self._seconds.append(row.seconds)
            # a thread may have read the study before, and come here after, another one
            if len(summary.rows) >= self._rows:
                self._rows = len(summary.rows)
                self._standing = self._stand(summary)
            style = "bold" if row.feasible and leads(row, summary) else STYLES[row.state]
            # a style given to `print` would colour the table as well
            line = ending(row, summary, self._outline.parameters, self._outline.what)
            self._console.print(Text(line, style=style))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._live.stop()

    def _stand(self, summary: StudySummary) -> _Standing:
        states = [row.state for row in summary.rows if row.counts]
        counts = [(states.count(state), str(state), STYLES[state]) for state in State]
        if again := len(summary.rows) - len(states):
            counts.append((again, "tried again", STYLES[State.FAILED]))
        # what did not happen is no reason to worry
        shown = [
            Text(f"{count} {what}", style=style if count else "") for count, what, style in counts
        ]
        finish = None
        if self._outline.total is not None and self._seconds:
            left = max(self._outline.total - len(states), 0) / len(self._outline.slots)
            finish = self._clock() + left * sum(self._seconds) / len(self._seconds)
        return _Standing(len(states), self._best(summary), Text(", ").join(shown), finish)

    def _best(self, summary: StudySummary) -> tuple[str, ...]:
        """What is shown of the best trial, in parts that stay together."""
        best = summary.best
        if best is None:
            return ()
        text = f"best {spelled_values(best, summary)} (trial {best.number})"
        if len(summary.maximize) > 1:
            text = f"Pareto front of {len(summary.front)}, first objective: {text}"
        return (text, *described(best.params, self._outline.parameters))

    def frame(self) -> RenderableType:
        """What the screen shows now, below the lines that stay."""
        standing = self._study_lines()
        if self._closed:
            return Group(*standing)
        slots = len(self._outline.slots)
        room = max(self._console.height - ROOM_ABOVE - len(standing), 2)
        shown = slots if slots <= room else room - 1
        more = [Text(f"+ {slots - shown} more", style="dim")] if shown < slots else []
        # parameters on lines of their own, where there is room for these
        below = min(self._folds, room // slots - 1)
        table = slot_table(
            self._outline, self._running, self._clock(), shown, below, self._console.width
        )
        return Group(*(cut(line) for line in [*table, *more]), *standing)

    @property
    def _folds(self) -> int:
        """Lines that the parameters of one trial may take."""
        return 1 if self._console.width >= ONE_LINE else 2

    def _study_lines(self) -> list[RenderableType]:
        standing, now, total = self._standing, self._clock(), self._outline.total
        times = f"{elapsed(now - self._began)} elapsed"
        if standing.finish is not None and not self._closed:
            times += f", {elapsed(max(standing.finish - now, 0))} left"
        head: list[RenderableType]
        if total is None:
            head = [Text(f"{standing.done} done")]
        else:
            bar = ProgressBar(total=total, completed=standing.done, width=24)
            head = [bar, Text(f"{standing.done}/{total}")]
        best = folded(standing.best, self._console.width, self._folds)
        for line in best:
            line.stylize("bold")
        if not standing.best and self._outline.what == "trial":
            best[0] = Text("no result yet", style="dim")
        if self._console.width >= ONE_LINE:
            return [spread([*head, standing.counts, Text(times)]), *map(cut, best)]
        return [spread([*head, Text(times)]), cut(standing.counts), *map(cut, best)]
