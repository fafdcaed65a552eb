"""The leaderboard: every trial, the best first, with the parameters in which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.display.leaderboard import ranked
from sweeper.display.short_names import short_names
from sweeper.display.wording import brief
from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Cell, Fold, Paragraph, Section, Span, Table
from sweeper.html_report.spelled import span_of_time
from sweeper.records import TrialRow, Value
from sweeper.search.space.cases import bare
from sweeper.statistics.standings import Place, Standing

_SHOWN = 20
"""Trials in the first table; the others are folded away."""


def trials_table(content: StudyContent) -> Section | None:
    """The trials that have ended; None where there is none."""
    rows = ranked(content.summary)
    if not rows:
        return None
    differing, same = _parameters(rows)
    make = _Rows(content, differing, rows[:_SHOWN])
    caption = "Trials, the best first"
    blocks: list[Block] = [Table(caption, make.headers, [make.row(row) for row in rows[:_SHOWN]])]
    if len(rows) > _SHOWN:
        rest = Table("The other trials", make.headers, [make.row(row) for row in rows[_SHOWN:]])
        blocks.append(Fold(f"{len(rows) - _SHOWN:,} more trials", [rest]))
    if same:
        alike = ", ".join(f"{bare(key)}={brief(value)}" for key, value in same.items())
        blocks.append(Paragraph(f"The same in all trials: {alike}."))
    if any(one.place is Place.TIED for one in content.standings.values()):
        blocks.append(
            Paragraph(
                "Tied: the 95 % interval of the difference from the best trial, by a paired "
                "bootstrap of the validation images that both predicted, holds 0."
            )
        )
    return Section("trials", "Leaderboard", blocks)


def _parameters(rows: Sequence[TrialRow]) -> tuple[list[str], dict[str, Value]]:
    """Names of the parameters in which trials differ, and the values of the others."""
    names = list(dict.fromkeys(name for row in rows for name in row.params))
    # as text: to Python, 1 and True are the same
    values = {
        name: {repr(row.params[name]) if name in row.params else None for row in rows}
        for name in names
    }
    if len(rows) == 1:
        return names, {}
    differing = [name for name in names if len(values[name]) > 1]
    same = {name: rows[0].params[name] for name in names if len(values[name]) == 1}
    return differing, same


class _Rows:
    """Makes rows of the table; only columns in which something stands."""

    def __init__(
        self, content: StudyContent, params: Sequence[str], shown: Sequence[TrialRow]
    ) -> None:
        self._content = content
        self._params = params
        rows = content.summary.rows
        self._intervals = _intervals(content.standings, shown)
        self._reasons = any(row.reason for row in rows)
        taken = {"trial", "state", "time", "reason", *content.summary.value_names}
        self.headers = [
            "trial",
            "state",
            *content.summary.value_names,
            *(["95 %"] if self._intervals else []),
            *short_names(params, taken).values(),
            "time",
            *(["reason"] if self._reasons else []),
        ]
        self._front = {row.number for row in content.summary.front}

    def row(self, row: TrialRow) -> list[Cell]:
        values = [Cell(f"{value:#.4g}", number=True) for value in row.values]
        missing = len(self._content.summary.maximize) - len(values)
        word, mark = self._standing(row)
        return [
            Cell(str(row.number), number=True),
            Cell(word, mark=mark),
            *values,
            *[Cell("")] * missing,
            *([self._interval(row)] if self._intervals else []),
            *(Cell(brief(row.params[name]) if name in row.params else "") for name in self._params),
            Cell(span_of_time(row.seconds), number=True),
            *([Cell(" ".join(row.reason.split()))] if self._reasons else []),
        ]

    def _standing(self, row: TrialRow) -> tuple[str, str]:
        if row.number in self._front:
            return ("best" if self._content.single else "on the front"), "best"
        standing = self._content.standings.get(row.number)
        if standing is not None and standing.place is Place.TIED:
            return "tied", "tied"
        if row.values and not row.feasible:
            return "breaks a constraint", "failed"
        return str(row.state), str(row.state)

    def _interval(self, row: TrialRow) -> Cell:
        if self._intervals is None or row.number not in self._intervals.ends:
            return Cell("")
        low, high = self._intervals.ends[row.number]
        least, width = self._intervals.least, self._intervals.width
        value = row.values[0]
        # of trials far behind the ends are cut: the best ones are to be compared
        parts = [min(max((one - least) / width, 0.0), 1.0) for one in (low, value, high)]
        return Cell(f"{low:.3f} to {high:.3f}", number=True, span=Span(*parts))


@dataclass(frozen=True)
class _Intervals:
    """Ends by the number of the trial, and the scale that holds all of them."""

    ends: Mapping[int, tuple[float, float]]
    least: float
    width: float


def _intervals(standings: Mapping[int, Standing], shown: Sequence[TrialRow]) -> "_Intervals | None":
    """Of all trials that have one, on a scale for those that are shown first."""
    ends = {
        number: (one.figure.low, one.figure.high)
        for number, one in standings.items()
        if one.figure.low is not None and one.figure.high is not None
    }
    if not ends:
        return None
    first = [ends[row.number] for row in shown if row.number in ends] or list(ends.values())
    least, most = min(low for low, _ in first), max(high for _, high in first)
    return _Intervals(ends, least, (most - least) or 1.0)
