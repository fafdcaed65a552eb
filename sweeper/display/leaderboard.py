"""The trials of a study in order of merit, and as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from sweeper.disk.files import write_aside
from sweeper.display.confirmed_text import confirmed_cells, confirmed_columns
from sweeper.display.wording import spelled_value
from sweeper.records import State, StudySummary, TrialRow
from sweeper.statistics.standings import Standing
from sweeper.study_files.confirmed import Confirmed


def ranked(summary: StudySummary) -> list[TrialRow]:
    """Best trial first, then the other complete ones, then pruned, then failed ones.

    Complete trials stand in the order of their first objective; of several objectives those on the
    Pareto front come first, and trials that break a constraint last.
    """
    front = {row.number for row in summary.front}
    states = list(State)

    def merit(row: TrialRow) -> tuple[int, bool, bool, float, int]:
        value = math.nan if row.value is None else row.value
        cost = -value if summary.maximize[0] else value
        # nan would leave the order undefined
        cost = math.inf if math.isnan(cost) else cost
        worse = row.number not in front
        return states.index(row.state), worse, not row.feasible, cost, row.number

    return sorted(summary.rows, key=merit)


def values_of(row: TrialRow, summary: StudySummary) -> list[float | None]:
    """Its objectives, None for each where it has none."""
    return list(row.values) or [None] * len(summary.maximize)


def parameters_of(rows: Iterable[TrialRow]) -> list[str]:
    """Names of all parameters by first appearance; a conditional one is not in every row."""
    return list(dict.fromkeys(name for row in rows for name in row.params))


def write_leaderboard(
    summary: StudySummary,
    path: Path,
    standings: Mapping[int, Standing],
    confirmed: Confirmed | None = None,
) -> None:
    """Write all trials as CSV (RFC 4180), in the order of :func:`ranked`.

    Columns: ``number state val_accuracy val_accuracy_low val_accuracy_high standing seconds`` (one
    for each objective, by its name, and the interval of the first one), one for each parameter by
    its whole name, ``reason``. Values are not rounded. A cell is empty where a trial has no such
    value or parameter; a parameter that holds nothing reads ``null``. Where trials were run again,
    ``confirmed_val_accuracy``, with ``_low`` and ``_high``, for each objective, and
    ``confirmed_runs`` stand before the seconds.
    """
    rows = ranked(summary)
    names = parameters_of(summary.rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    first, *others = summary.value_names
    columns = ["number", "state", first, f"{first}_low", f"{first}_high", "standing", *others]
    again = confirmed_columns(summary.value_names) if confirmed is not None else []
    writer.writerow([*columns, *again, "seconds", *names, "reason"])
    for row in rows:
        params = (spelled_value(row.params[name]) if name in row.params else "" for name in names)
        value, *more = values_of(row, summary)
        standing = standings.get(row.number)
        low, high = (standing.figure.low, standing.figure.high) if standing else (None, None)
        place = standing.place if standing else None
        known = [row.number, row.state.value, value, low, high, place, *more]
        means = confirmed_cells(summary.value_names, confirmed, row.number) if confirmed else []
        writer.writerow([*known, *means, row.seconds, *params, row.reason])
    write_aside(path, text.getvalue())
