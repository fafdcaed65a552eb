"""Trials in words: parameters, epochs, how one ended."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from rich.text import Text

from sweeper.display.short_names import short_names
from sweeper.records import Advance, EpochReport, StudySummary, TrialRow, Value


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


def advanced(advance: Advance) -> str:
    """How far work within a trial is: ``decoding images: 1,200 of 80,000``."""
    return f"{one_line(advance.work)}: {advance.done:,} of {advance.total:,}"


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


def ending(
    row: TrialRow, summary: StudySummary, parameters: Iterable[str] = (), what: str = "trial"
) -> str:
    """How ``what``, a trial, ended, with what and why, on one line.

    ``parameters`` are as in `describe`.
    """
    line = f"{what} {row.number} {row.state} after {row.seconds:.1f} s"
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
