"""Seconds of a fine-tune: what it computed, and what it did not have to."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from recipes import recipe
from test_fine_tune import SHORT, Run

from sweeper.records import COMPUTED, FEATURES, SAVED_BY_CACHE, SAVED_BY_PRUNING
from sweeper.train.savings import ledger

MADE = recipe("phases.frozen.epochs=4", "phases.unfrozen.epochs=3")


@dataclass
class Fed:
    """What a ledger reads of a feed."""

    computed_seconds: float = 0.0
    each: dict[str, float] = field(default_factory=dict)

    def seconds_of_epoch(self, name: str) -> float:
        return self.each.get(name, 0.0)


def epochs(frozen: list[float], unfrozen: list[float]) -> list[dict[str, float]]:
    return [
        {"phase": phase, "epoch_seconds": seconds}
        for phase, part in ((0.0, frozen), (1.0, unfrozen))
        for seconds in part
    ]


@pytest.mark.parametrize(
    ("frozen", "unfrozen", "pruned", "expected"),
    [
        ([1, 1, 1, 1], [5, 5, 5], False, (19 + 10, 4 * 8 + 3 * 6 - 10, 0)),
        # two frozen epochs are missing, and unfrozen ones are taken for as long
        ([1, 3], [], True, (4 + 10, 2 * 8 - 10, 2 * 2 + 3 * 2)),
        ([1, 1, 1, 1], [5], True, (9 + 10, 4 * 8 + 6 - 10, 2 * 5)),
        # early stopping ended the frozen phase, not the pruner
        ([1], [5], True, (6 + 10, 8 + 6 - 10, 2 * 5)),
        ([1], [5, 5, 5], False, (16 + 10, 8 + 3 * 6 - 10, 0)),
        ([], [], True, (10, -10, 0)),
    ],
)
def test_seconds_add_up(
    frozen: list[float], unfrozen: list[float], pruned: bool, expected: tuple[float, ...]
) -> None:
    fed = Fed(10, {"frozen": 8, "unfrozen": 6})
    found = ledger(MADE, fed, epochs(frozen, unfrozen), pruned)  # type: ignore[arg-type]
    assert tuple(found[name] for name in (COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING)) == expected


def test_the_second_trial_saves_what_the_first_computed(tmp_path: Path) -> None:
    made = recipe(*SHORT)
    first, second = (Run(made, tmp_path / name).go() for name in ("first", "second"))
    one, two = (
        ledger(made, run.fine_tune.feed, [epoch.metrics for epoch in run.epochs], pruned=False)
        for run in (first, second)
    )
    computed = first.fine_tune.feed.computed_seconds
    assert computed > 0
    assert second.fine_tune.feed.computed_seconds == 0
    trained = sum(epoch.metrics["epoch_seconds"] for epoch in first.epochs)
    assert one[COMPUTED] == pytest.approx(trained + computed)
    assert (one[FEATURES], two[FEATURES]) == (computed, 0)
    # two epochs and three, and both phases are fed by the same passes
    assert two[SAVED_BY_CACHE] == pytest.approx(one[SAVED_BY_CACHE] + computed)
    assert two[SAVED_BY_CACHE] > 0
