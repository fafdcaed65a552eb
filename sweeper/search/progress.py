"""How far the study is: a live display in a terminal, plain lines elsewhere."""

from typing import TYPE_CHECKING, Protocol

from sweeper.records import EpochReport, State, StudySummary, TrialRow, TrialSpec

if TYPE_CHECKING:
    from rich.console import Console


class Progress(Protocol):
    """Hears what happens in a study, in order."""

    def note(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def trial_started(self, spec: TrialSpec) -> None:
        """Trial ``spec`` begins."""
        ...

    def epoch(self, spec: TrialSpec, report: EpochReport) -> None:
        """An epoch of trial ``spec`` has ended."""
        ...

    def trial_finished(self, summary: StudySummary) -> None:
        """The trial that began last has ended; it is the last row of ``summary``."""
        ...

    def close(self) -> None:
        """Leave the screen as a finished display."""
        ...


def open_console() -> "Console":
    """The screen. A pipe has no width, and 80 columns would fold every line of a table."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def open_progress(console: "Console", total: int, done: int) -> Progress:
    """The display that fits where ``console`` writes to."""
    return (
        LiveProgress(console, total, done) if console.is_terminal else LineProgress(console, total)
    )


def describe(spec: TrialSpec) -> str:
    """Parameters of a trial on one line."""
    return "  ".join(f"{key}={_short(value)}" for key, value in spec.params.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _ending(row: TrialRow, summary: StudySummary) -> str:
    line = f"trial {row.number} {row.state} after {row.seconds:.1f} s"
    if row.state is State.COMPLETE and row.value is not None:
        line += f": {row.value:.4f}"
        if summary.best and summary.best.number == row.number:
            line += " (best so far)"
    return line + (f": {row.reason}" if row.reason else "")


def _epoch_line(report: EpochReport) -> str:
    metrics = "  ".join(f"{key} {value:.4f}" for key, value in report.metrics.items())
    name = f"{report.phase} epoch" if report.phase else "step"
    return f"{name} {report.step}: {metrics or f'{report.value:.4f}'}"


class LineProgress:
    """One line an event: fit for a pipe, a log, or CI."""

    def __init__(self, console: "Console", total: int) -> None:
        self._console = console
        self._total = total

    def note(self, text: str) -> None:
        self._say(text)

    def trial_started(self, spec: TrialSpec) -> None:
        self._say(f"trial {spec.number} of {self._total} started: {describe(spec)}")

    def epoch(self, spec: TrialSpec, report: EpochReport) -> None:
        self._say(f"trial {spec.number} {_epoch_line(report)}")

    def trial_finished(self, summary: StudySummary) -> None:
        self._say(_ending(summary.rows[-1], summary))

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)


class LiveProgress:
    """Two lines that keep changing: the study's bar, and the trial that runs."""

    def __init__(self, console: "Console", total: int, done: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn("{task.fields[said]}"),
            console=console,
        )
        self._study = self._bars.add_task("trials", total=total, completed=done, said="")
        self._bars.start()

    def note(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def trial_started(self, spec: TrialSpec) -> None:
        self._say(f"trial {spec.number}: {describe(spec)}", "dim")
        self._bars.update(self._study, description=f"trial {spec.number} starting")

    def epoch(self, spec: TrialSpec, report: EpochReport) -> None:
        self._bars.update(
            self._study, description=f"trial {spec.number} {report.phase} epoch {report.step}"
        )

    def trial_finished(self, summary: StudySummary) -> None:
        row = summary.rows[-1]
        self._say(_ending(row, summary), "" if row.state is State.COMPLETE else "yellow")
        best = summary.best
        said = f"best {best.value:.4f} (trial {best.number})" if best else ""
        self._bars.update(self._study, advance=1, description="trials", said=said)

    def close(self) -> None:
        self._bars.stop()

    def _say(self, text: str, style: str) -> None:
        self._bars.console.print(text, style=style, markup=False, highlight=False)
