"""The leaderboard of a study as a table on the screen."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from sweeper.display.confirmed_text import confirmed_cell
from sweeper.display.leaderboard import parameters_of, ranked, values_of
from sweeper.display.short_names import short_names
from sweeper.display.wording import spelled_value
from sweeper.records import State, StudySummary, TrialRow
from sweeper.statistics.standings import Place, Standing
from sweeper.study_files.confirmed import Confirmed

COLOURS: Mapping[State, str] = {
    State.COMPLETE: "green",
    State.PRUNED: "yellow",
    State.FAILED: "red",
}
UNBOUNDED = 100_000
"""A width, in characters, that no table reaches."""


def _fixed(summary: StudySummary) -> list[str]:
    """Columns before the parameters; ``reason`` comes after them."""
    return ["number", "state", *summary.value_names, "seconds"]


def _plain(text: str) -> str:
    """``text`` on one line without escape codes; a reason may quote the output of a process."""
    line = " ".join(Text.from_ansi(text).plain.split())
    return "".join(character for character in line if character.isprintable())


def _cell(row: TrialRow, name: str) -> str:
    if name not in row.params:
        return ""
    value = row.params[name]
    return f"{value:.4g}" if isinstance(value, float) else _plain(spelled_value(value))


def _table(
    summary: StudySummary,
    rows: Sequence[TrialRow],
    standings: Mapping[int, Standing],
    confirmed: Confirmed | None,
    reason_width: int,
    *,
    narrow: bool,
) -> Table:
    names = parameters_of(summary.rows)
    with_reason = any(row.reason for row in rows)
    with_interval = any(_interval(standings, row) for row in rows)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", collapse_padding=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    breaks = "._" if narrow else "."

    def folded(header: str) -> Text:
        """One part a line: a header is the widest thing in most columns."""
        text = _plain(header)
        for sign in breaks:
            text = text.replace(sign, f"{sign}\n")
        return Text(text)

    for header in _fixed(summary):
        shown = folded(header) if header in summary.value_names else header
        table.add_column(shown, justify="left" if header == "state" else "right", no_wrap=True)
        if with_interval and header == summary.value_names[0]:
            table.add_column("95 %", justify="right", no_wrap=True)
        if confirmed is not None and header == summary.value_names[0]:
            table.add_column("run again", justify="right", no_wrap=True)
    taken = {*_fixed(summary), "reason"}
    for header in short_names(names, taken).values():
        table.add_column(folded(header), justify="right", no_wrap=True)
    if with_reason:
        table.add_column("reason", max_width=reason_width, overflow="fold")
    front = {row.number for row in summary.front}
    mark = "best" if len(summary.maximize) == 1 else "front"
    for row in rows:
        is_best = row.number in front
        first, *others = (Text("" if v is None else f"{v:#.4g}") for v in values_of(row, summary))
        cells = [
            Text(mark if is_best else _tied(standings, row)),
            Text(str(row.number)),
            Text(row.state.value, style=COLOURS[row.state]),
            first,
            *[Text(_interval(standings, row))] * with_interval,
            *([Text(confirmed_cell(confirmed, row.number))] if confirmed is not None else []),
            *others,
            Text(f"{row.seconds:.1f}"),
            *(Text(_cell(row, name)) for name in names),
        ]
        if with_reason:
            cells.append(Text(_plain(row.reason)))
        table.add_row(*cells, style="bold green" if is_best else None)
    return table


def _tied(standings: Mapping[int, Standing], row: TrialRow) -> str:
    standing = standings.get(row.number)
    return "tied" if standing is not None and standing.place is Place.TIED else ""


def _interval(standings: Mapping[int, Standing], row: TrialRow) -> str:
    """The 95 % interval of the first objective, which is not symmetric near the ends of a scale."""
    standing = standings.get(row.number)
    if standing is None or standing.figure.low is None or standing.figure.high is None:
        return ""
    return f"{standing.figure.low:.3f} to {standing.figure.high:.3f}"


def _heading(summary: StudySummary) -> str:
    states = [row.state for row in summary.rows]
    counts = ", ".join(f"{states.count(state)} {state.value}" for state in State)
    trials = "1 trial" if len(states) == 1 else f"{len(states)} trials"
    heading = f"{summary.name}: {trials} ({counts})"
    if summary.best is None:
        heading += "; no trial completed"
    return _plain(heading)


def print_table(
    summary: StudySummary,
    console: Console,
    standings: Mapping[int, Standing],
    confirmed: Confirmed | None = None,
) -> None:
    """Print the trials in the order of :func:`ranked`, the best one and those tied with it marked.

    Parameters stand under the last parts of their dotted names where these are unambiguous;
    numbers are rounded to 4 digits. The table is never narrower than its text: where the console
    is no terminal it takes the width it needs, on a terminal the reasons are folded first.

    Args:
        summary: the study.
        console: where to print.
        standings: of the trials that have one, by number.
        confirmed: what became of trials that were run again, None where none was.
    """
    rows = ranked(summary)
    console.print(Text(_heading(summary), style="bold"), soft_wrap=True)
    if not rows:
        return
    unbounded = console.options.update(width=UNBOUNDED)
    table = _table(summary, rows, standings, confirmed, reason_width=100, narrow=False)
    width = Measurement.get(console, unbounded, table).maximum
    if console.is_terminal and width > console.width:
        table = _table(summary, rows, standings, confirmed, reason_width=24, narrow=True)
        width = max(console.width, Measurement.get(console, unbounded, table).maximum)
    # Console.print caps a table at the console's width, and 80 columns is what it assumes of a file
    lines = console.render(table, unbounded.update(width=width))
    console.print(Segments(lines), crop=False, end="")
