"""Which trials are run again when a search is over, and with which seeds."""

from collections.abc import Callable, Iterator

from sweeper.config import Affects, Recipe, without
from sweeper.ranking import best_rows
from sweeper.records import StudySummary, TrialRow
from sweeper.report.reader import read_recipe
from sweeper.study_files.trial_paths import TrialPaths

_APART = 1000
"""Between a trial's seed and those of its reruns: a search over seeds tries small ones."""
_SEEDS = 2**32
_NOT_TRAINED_BY = Affects.PLACE | Affects.RECORD | Affects.RANKING | Affects.AFTERWARDS


def new_seeds(seed: int, count: int) -> list[int]:
    """The seeds that a trial with ``seed`` is run again with; the first ones stay when more follow.

    >>> new_seeds(0, 3)
    [1000, 2000, 3000]
    """
    return [(seed + _APART * index) % _SEEDS for index in range(1, count + 1)]


def contenders(
    summary: StudySummary, top: int, say: Callable[[str], None]
) -> list[tuple[TrialRow, Recipe]]:
    """The best ``top`` trials with their recipes; with several objectives those of the front.

    Trials that differ in their seed alone count once. One whose weights are gone cannot win, and
    gives its place to the next one.

    Args:
        summary: the study.
        top: how many.
        say: shows a person a sentence.

    Raises:
        SweeperError: the folder of a trial is gone.
    """
    found: list[tuple[TrialRow, Recipe]] = []
    seen = []
    for row in _ordered(summary):
        if len(found) == top:
            break
        recipe = read_recipe(TrialPaths(row.folder))
        same = without(recipe.model_copy(update={"seed": 0}), _NOT_TRAINED_BY)
        if same in seen:
            continue
        if len(summary.maximize) == 1 and not TrialPaths(row.folder).learned.exists():
            say(
                f"trial {row.number} is not run again: its weights are gone, which keep_weights="
                f"{recipe.keep_weights} did not keep"
            )
            continue
        seen.append(same)
        found.append((row, recipe))
    return found


def _ordered(summary: StudySummary) -> Iterator[TrialRow]:
    rows = summary.rows if len(summary.maximize) == 1 else summary.front
    yield from best_rows(rows, len(rows), summary.maximize)
