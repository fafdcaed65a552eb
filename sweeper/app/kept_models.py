"""What trials learned is removed as the study grows, but for the best ones."""

from sweeper.ranking import best_rows
from sweeper.records import StudySummary
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
        self._kept: set[int] = set()

    def update(self, summary: StudySummary, confirmed: Confirmed | None = None) -> None:
        """Remove what trials learned, but for the best ones and those on the front.

        Models of trials that are no more on the front, of an earlier sweep of the study, go too.
        Trials that were run again keep both: one of them may win.
        """
        front = {best.number for best in summary.front}
        front |= {trial.number for trial in confirmed.trials} if confirmed is not None else set()
        # what was removed does not come back, however the others are judged later
        rows = [
            row
            for row in summary.rows
            if row.number in self._kept or row.number not in self._looked
        ]
        best = best_rows(rows, self._weights, summary.maximize)
        kept = front | {row.number for row in best}
        for row in rows:
            trial = TrialPaths(row.folder)
            if row.number not in kept:
                trial.learned.unlink(missing_ok=True)
            if row.number not in front:
                trial.model.unlink(missing_ok=True)
        self._looked.update(row.number for row in rows)
        self._kept = kept
