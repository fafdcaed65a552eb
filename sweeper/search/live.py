"""A study in a terminal: a table of slots that keeps changing, below the trials that ended."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper.records import EpochReport, State, StudySummary, TrialRow, TrialSpec
from sweeper.search.progress import ending, leads, lines, number, one_line, parameter

STYLES: Mapping[State, str] = {State.COMPLETE: "", State.PRUNED: "yellow", State.FAILED: "red"}
ROOM_ABOVE = 4
"""Lines of a terminal that the table leaves to the trials that ended last."""
ONE_LINE = 120
"""Columns from which on everything about the study fits on one line."""


@dataclass(frozen=True)
class _Running:
    """What a slot is at."""

    spec: TrialSpec
    started: float
    report: EpochReport | None = None


@dataclass(frozen=True)
class _Standing:
    """What is said of the study below the table; ``finish`` is when it ends, by the clock."""

    done: int
    best: str
    counts: Text
    finish: float | None


class LiveProgress:
    """A table of slots that keeps changing, the study's standing below it, ended trials above.

    Its height is constant: rich moves the cursor up by the height of the last frame, which another
    thread may just have replaced.
    """

    def __init__(
        self,
        console: Console,
        slots: Sequence[str],
        total: int | None,
        done: int,
        clock: Callable[[], float],
    ) -> None:
        self._console = console
        self._slots = slots
        self._total = total
        self._clock = clock
        self._began = clock()
        # Taken before the locks of rich, so `frame`, which rich calls under its own, goes without
        self._lock = threading.RLock()
        self._running: dict[int, _Running] = {}
        self._standing = _Standing(done, "", Text("no result yet", style="dim"), None)
        self._seconds: list[float] = []
        self._rows = 0
        self._closed = False
        self._live = Live(console=console, get_renderable=self.frame, refresh_per_second=4)
        self._live.start(refresh=True)

    def note(self, text: str) -> None:
        with self._lock:
            self._console.print(Text(lines(text)))

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        with self._lock:
            self._running[slot] = _Running(spec, self._clock())

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        with self._lock:
            running = self._running.get(slot)
            if running and running.spec.number == spec.number:
                self._running[slot] = replace(running, report=report)

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
            self._console.print(Text(ending(row, summary), style=style))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._live.stop()

    def _stand(self, summary: StudySummary) -> _Standing:
        states = [row.state for row in summary.rows if row.counts]
        counts = [(f"{states.count(state)} {state}", STYLES[state]) for state in State]
        if len(states) < len(summary.rows):
            counts.append((f"{len(summary.rows) - len(states)} tried again", STYLES[State.FAILED]))
        best = ""
        if len(summary.maximize) > 1:
            best = f"Pareto front of {len(summary.front)}"
        elif summary.best and summary.best.value is not None:
            best = f"best {number(summary.best.value)} (trial {summary.best.number})"
        finish = None
        if self._total is not None:
            left = max(self._total - len(states), 0) / len(self._slots)
            finish = self._clock() + left * sum(self._seconds) / len(self._seconds)
        text = Text(", ").join(Text(words, style=style) for words, style in counts)
        return _Standing(len(states), best, text, finish)

    def frame(self) -> RenderableType:
        """What the screen shows now, below the lines that stay."""
        if self._closed:
            return self._study_lines()
        room = max(self._console.height - ROOM_ABOVE - 2, 2)
        shown = len(self._slots) if len(self._slots) <= room else room - 1
        hidden = len(self._slots) - shown
        more = [Text(f"+ {hidden} more", style="dim")] if hidden else []
        return Group(self._slot_table(shown), *more, self._study_lines())

    def _slot_table(self, shown: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("slot", justify="right", no_wrap=True)
        table.add_column("place", no_wrap=True)
        table.add_column("trial", justify="right", no_wrap=True)
        table.add_column("progress", no_wrap=True)
        table.add_column("value", justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        # the one column that may be narrowed: its text does not wrap either
        table.add_column("parameters")
        for slot, place in enumerate(self._slots[:shown]):
            name = one_line(place)
            running = self._running.get(slot)
            if running is None:
                table.add_row(str(slot), Text(name), "", Text("waiting", style="dim"))
                continue
            report = running.report
            table.add_row(
                str(slot),
                Text(name),
                str(running.spec.number),
                Text(_point(report) if report else "starting"),
                number(report.value) if report else "",
                _duration(self._clock() - running.started),
                Text(_briefly(running.spec), no_wrap=True, overflow="ellipsis"),
            )
        return table

    def _study_lines(self) -> RenderableType:
        standing, now = self._standing, self._clock()
        times = f"{_duration(now - self._began)} elapsed"
        if standing.finish is not None and not self._closed:
            times += f", {_duration(max(standing.finish - now, 0))} left"
        head: list[RenderableType]
        if self._total is None:
            head = [Text(f"{standing.done} done")]
        else:
            bar = ProgressBar(total=self._total, completed=standing.done, width=24)
            head = [bar, Text(f"{standing.done}/{self._total}")]
        tail = [Text(standing.best, style="bold"), standing.counts]
        if self._console.width >= ONE_LINE:
            return _spread([*head, *tail, Text(times)])
        return Group(_spread([*head, Text(times)]), _spread(tail))


def _spread(cells: Sequence[RenderableType]) -> Table:
    """``cells`` side by side on one line, whatever their width; an empty one takes none."""
    line = Table.grid(padding=(0, 2))
    filled = [cell for cell in cells if cell]
    for _ in filled:
        line.add_column(no_wrap=True)
    line.add_row(*filled)
    return line


def _briefly(spec: TrialSpec) -> str:
    """Parameters under the last parts of their dotted names, where these say which is meant."""
    last = {name: name.rpartition(".")[2] for name in spec.params}
    # optimizer.name and backbone.name say nothing by their last part
    taken = ["name", *last.values()]
    names = {name: tail if taken.count(tail) == 1 else name for name, tail in last.items()}
    return "  ".join(parameter(names[name], value) for name, value in spec.params.items())


def _point(report: EpochReport) -> str:
    return f"{one_line(report.phase)} {report.step}" if report.phase else f"step {report.step}"


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds; no hours where there are none."""
    return str(timedelta(seconds=int(seconds))).removeprefix("0:")
