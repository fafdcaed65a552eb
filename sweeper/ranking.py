"""Which trials are best: one objective has an order, several have a front."""

from collections.abc import Sequence
from dataclasses import replace

from sweeper.records import StudySummary, TrialRow

Maximize = Sequence[bool]
"""For each objective, whether higher is better."""


def joined(front: Sequence[TrialRow], row: TrialRow, maximize: Maximize) -> list[TrialRow]:
    """``front`` once ``row`` is known: the feasible complete trials that no other beats."""
    if not row.values or not row.feasible or any(beats(one, row, maximize) for one in front):
        return list(front)
    return [*(one for one in front if not beats(row, one, maximize)), row]


def best_of(front: Sequence[TrialRow], maximize: Maximize) -> TrialRow | None:
    """The one of ``front`` that is best in the first objective; of equals the earlier trial."""
    return min(front, key=lambda row: (_losses(row, maximize)[0], row.number), default=None)


def best_rows(rows: Sequence[TrialRow], count: int, maximize: Maximize) -> list[TrialRow]:
    """The ``count`` feasible complete trials that are best in the first objective."""
    complete = [row for row in rows if row.values and row.feasible]
    return sorted(complete, key=lambda row: (_losses(row, maximize)[0], row.number))[:count]


def with_winner(summary: StudySummary, number: int | None) -> StudySummary:
    """``summary`` with trial ``number`` as the best one, as where runs of it decide.

    It stays as it is without such a trial, and with several objectives, of which none decides.
    """
    row = next((row for row in summary.rows if row.number == number), None)
    if row is None or len(summary.maximize) > 1:
        return summary
    return replace(summary, best=row, front=(row,))


def beats(one: TrialRow, other: TrialRow, maximize: Maximize) -> bool:
    """Whether ``one`` is nowhere worse; of equals with one objective the earlier trial."""
    ours, theirs = _losses(one, maximize), _losses(other, maximize)
    no_worse = all(a <= b for a, b in zip(ours, theirs, strict=True))
    if ours == theirs:
        return len(ours) == 1 and one.number < other.number
    return no_worse


def _losses(row: TrialRow, maximize: Maximize) -> tuple[float, ...]:
    return tuple(-v if high else v for v, high in zip(row.values, maximize, strict=True))
