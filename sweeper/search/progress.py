"""How far the study is: a live table of slots in a terminal, one line an event elsewhere."""

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

from sweeper.records import EpochReport, StudySummary, TrialRow, TrialSpec, Value


class Progress(Protocol):
    """Hears what happens in a study, from several threads at once."""

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
    """The screen. A pipe has no width, and 80 columns would fold every line of a table."""
    # names and paths may hold what rich takes for markup: [old], :dog:
    plain = functools.partial(Console, highlight=False, markup=False, emoji=False)
    console = plain()
    return console if console.is_terminal else plain(width=200)


def open_progress(
    console: Console,
    slots: Sequence[str],
    total: int | None,
    done: int,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """The display that fits where ``console`` writes to.

    Args:
        console: the screen.
        slots: for each slot the name of its place, such as ``gpu 0``.
        total: how many trials the study shall have, None for no limit.
        done: how many it has already.
        clock: the time in seconds.
    """
    if console.is_interactive and not console.options.ascii_only:
        from sweeper.search.live import LiveProgress

        return LiveProgress(console, slots, total, done, clock)
    return LineProgress(console, total)


def describe(spec: TrialSpec) -> str:
    """Parameters of a trial on one line."""
    return "  ".join(parameter(name, value) for name, value in spec.params.items())


def parameter(name: str, value: Value) -> str:
    """One parameter; numbers have three digits."""
    return (
        f"{one_line(name)}={f'{value:.3g}' if isinstance(value, float) else one_line(str(value))}"
    )


def number(value: float) -> str:
    """Four digits; what counts something (parameters, bytes) keeps all of them."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


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


def ending(row: TrialRow, summary: StudySummary) -> str:
    """How a trial ended, on one line."""
    line = f"trial {row.number} {row.state} after {row.seconds:.1f} s"
    if row.values:
        line += ": " + ", ".join(number(value) for value in row.values)
        if not row.feasible:
            line += " (infeasible)"
        elif leads(row, summary):
            line += " (on the Pareto front)" if len(row.values) > 1 else " (best so far)"
    reason = one_line(row.reason)
    return f"{line}: {reason}" if reason else line


class LineProgress:
    """One line an event: fit for a pipe, a log, or CI."""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console = console
        self._total = total
        # a signal handler may speak while the main thread does
        self._lock = threading.RLock()

    def note(self, text: str) -> None:
        self._say(lines(text))

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        params = f": {describe(spec)}" if spec.params else ""
        # numbers pass the total where trials were tried again
        counts = self._total is not None and spec.number < self._total
        of_total = f" of {self._total}" if counts else ""
        self._say(f"trial {spec.number}{of_total} started{params}")

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        metrics = "  ".join(f"{one_line(key)} {number(m)}" for key, m in report.metrics.items())
        point = f"{one_line(report.phase)} epoch" if report.phase else "step"
        said = metrics or number(report.value)
        self._say(f"trial {spec.number} {point} {report.step}: {said}")

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        self._say(ending(row, summary))

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        # not Console.print, which takes a hundred times as long: reports may come by the thousand
        encoding = self._console.encoding
        with self._lock:
            file = self._console.file
            print(text.encode(encoding, "replace").decode(encoding), file=file, flush=True)
