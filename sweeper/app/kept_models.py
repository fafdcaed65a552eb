"""What trials learned is removed as the study grows, but for the best ones."""

from collections.abc import Sequence

from sweeper.ranking import best_rows
from sweeper.records import StudySummary, TrialRow
from sweeper.study_files.confirmed import Confirmed
from sweeper.study_files.trial_paths import TrialPaths


class KeptModels:
    """Remembers which trials have files left, so that each trial's files are removed once.

    Args:
        weights: what so many of the best trials learned is kept.
    """

    def __init__(self, weights: int) -> None:
        self._weights = weights
        self._looked: set[int] = set()
        self._kept: list[TrialRow] = []

    def update(self, summary: StudySummary, confirmed: Confirmed | None = None) -> None:
        """Remove what trials learned, but for the best ones and those on the front.

        Models of trials that are no more on the front, of an earlier sweep of the study, go too.
        Trials that were run again keep both: one of them may win.
        """
        front = {best.number for best in summary.front}
        front |= {trial.number for trial in confirmed.trials} if confirmed is not None else set()
        # what was removed does not come back, however the others are judged later
        rows = [*self._kept, *self._new(summary.rows)]
        kept = front | {row.number for row in best_rows(rows, self._weights, summary.maximize)}
        for row in rows:
            trial = TrialPaths(row.folder)
            if row.number not in kept:
                trial.learned.unlink(missing_ok=True)
            if row.number not in front:
                trial.model.unlink(missing_ok=True)
        self._kept = [row for row in rows if row.number in kept]

    def _new(self, rows: Sequence[TrialRow]) -> list[TrialRow]:
        """Those of ``rows`` that were not looked at before, which are among the last ones."""
        found: list[TrialRow] = []
        for row in reversed(rows):
            if len(self._looked) == len(rows):
                break
            if row.number not in self._looked:
                self._looked.add(row.number)
                found.append(row)
        return found
