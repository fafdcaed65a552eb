"""How far the study is: a live table of slots in a terminal, one line an event elsewhere."""

import functools
import io
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.text import Text

from sweeper.records import EpochReport, StudySummary, TrialRow, TrialSpec, Value
from sweeper.short_names import short_names


class Progress(Protocol):
    """Called with what happens in a study, from several threads at once."""

    def note(self, text: str) -> None:
        """Show lines that stay."""
        ...

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        """Trial ``spec`` begins in ``slot``, counted from 0."""
        ...

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        """An epoch of trial ``spec`` has ended."""
        ...

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        """Trial ``row`` has ended in ``slot``; ``summary`` holds all rows, of others too."""
        ...

    def close(self) -> None:
        """Leave the screen as a finished display. A second call does nothing."""
        ...


def open_console() -> Console:
    """The screen. A pipe has no width, and 80 columns would fold every line of a table.

    What it cannot show of names and paths is escaped, in all that is written there from now on.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    # names and paths may hold what rich takes for markup: [old], :dog:
    plain = functools.partial(Console, highlight=False, markup=False, emoji=False)
    console = plain()
    return console if console.is_terminal else plain(width=200)


@dataclass(frozen=True)
class Outline:
    """What of a study stays the same while it is shown.

    Attributes:
        slots: for each slot the name of its place, such as ``gpu 0``.
        total: how many trials the study shall have, None for no limit.
        parameters: dotted names of all that is searched.
        reported: name of what trials report, which need not be what they are judged by.
        began: when the command did, by the clock of the display; None for when that is opened.
    """

    slots: tuple[str, ...] = ("cpu",)
    total: int | None = None
    parameters: tuple[str, ...] = ()
    reported: str = "value"
    began: float | None = None


def open_progress(
    console: Console,
    outline: Outline,
    so_far: StudySummary | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """The display that fits where ``console`` writes to.

    Args:
        console: the screen.
        outline: what is shown.
        so_far: the study as it is continued.
        clock: the time in seconds.
    """
    if console.is_interactive and not console.options.ascii_only:
        from sweeper.search.live import LiveProgress

        return LiveProgress(console, outline, so_far, clock)
    return LineProgress(console, outline)


def described(params: Mapping[str, Value], parameters: Iterable[str] = ()) -> tuple[str, ...]:
    """Parameters of a trial under short names, as the table of all trials has them.

    ``parameters`` are the names of all that is searched; a trial need not have each.
    """
    names = short_names([*parameters, *params])
    return tuple(parameter(names[name], value) for name, value in params.items())


def describe(params: Mapping[str, Value], parameters: Iterable[str] = ()) -> str:
    """The same on one line."""
    return "  ".join(described(params, parameters))


def parameter(name: str, value: Value) -> str:
    """One parameter; numbers have three digits."""
    return (
        f"{one_line(name)}={f'{value:.3g}' if isinstance(value, float) else one_line(str(value))}"
    )


def point(report: EpochReport) -> str:
    """How far a trial is: ``frozen epoch 1 of 2`` for step 0, where it says how many there are."""
    phase = one_line(report.phase)
    if report.steps is not None:
        return f"{phase} epoch {report.step + 1} of {report.steps}".lstrip()
    return f"{phase or 'step'} {report.step}"


def number(value: float) -> str:
    """Four digits; what counts something (parameters, bytes) keeps all of them."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def elapsed(seconds: float) -> str:
    """Hours, minutes and seconds; no hours where there are none."""
    return str(timedelta(seconds=int(seconds))).removeprefix("0:")


def one_line(text: str) -> str:
    """``text`` on one line without escape codes; a reason may quote a process's output."""
    return _printable(" ".join(text.split()))


def lines(text: str) -> str:
    """``text`` line by line, without escape codes and control characters."""
    return "\n".join(_printable(line) for line in text.splitlines())


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    plain = Text.from_ansi(line.expandtabs()).plain
    return "".join(character for character in plain if character.isprintable())


def leads(row: TrialRow, summary: StudySummary) -> bool:
    """Whether ``row`` is the best trial or, with several objectives, on the Pareto front."""
    best = (summary.best,) if summary.best else ()
    leaders = summary.front if len(summary.maximize) > 1 else best
    return any(leader.number == row.number for leader in leaders)


def ending(row: TrialRow, summary: StudySummary, parameters: Iterable[str] = ()) -> str:
    """How a trial ended, with what, and why, on one line; ``parameters`` as in `describe`."""
    line = f"trial {row.number} {row.state} after {row.seconds:.1f} s"
    if row.values:
        line += f": {spelled_values(row, summary)}"
        if not row.feasible:
            line += " (infeasible)"
        elif leads(row, summary):
            line += " (on the Pareto front)" if len(row.values) > 1 else " (best so far)"
    if row.params:
        line += f" with {describe(row.params, parameters)}"
    reason = one_line(row.reason)
    return f"{line}: {reason}" if reason else line


def spelled_values(row: TrialRow, summary: StudySummary) -> str:
    """The objectives of a trial, by their names where they have some."""
    names = [f"{one_line(name)} " for name in summary.objectives] or [""] * len(row.values)
    return ", ".join(
        f"{name}{number(value)}" for name, value in zip(names, row.values, strict=True)
    )


class LineProgress:
    """One line an event: fit for a pipe, a log, or CI."""

    def __init__(self, console: Console, outline: Outline) -> None:
        self._console = console
        self._outline = outline
        # a signal handler may speak while the main thread does
        self._lock = threading.RLock()

    def note(self, text: str) -> None:
        self._say(lines(text))

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        described = describe(spec.params, self._outline.parameters)
        params = f": {described}" if spec.params else ""
        # numbers count from 0, and pass the total where trials were tried again
        total = self._outline.total
        of_total = f" of {total}" if total is not None and spec.number < total else ""
        self._say(f"trial {spec.number}{of_total} started{params}")

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        metrics = "  ".join(f"{one_line(key)} {number(m)}" for key, m in report.metrics.items())
        shown = metrics or number(report.value)
        self._say(f"trial {spec.number} {point(report)}: {shown}")

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        self._say(ending(row, summary, self._outline.parameters))

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        # not Console.print, which takes a hundred times as long: reports may come by the thousand
        encoding = self._console.encoding
        with self._lock:
            file = self._console.file
            print(text.encode(encoding, "replace").decode(encoding), file=file, flush=True)
