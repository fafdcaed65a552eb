"""How the trials of a study stand beside its best one, from the predictions in their folders."""

from collections.abc import Mapping

from sweeper.records import StudySummary, TrialRow
from sweeper.statistics.standings import Standing, Standings
from sweeper.study_folder import TrialPaths
from sweeper.track import predictions


class TrialStandings:
    """Of the trials with ``objectives`` that were added; the files of each are read once."""

    def __init__(self, objectives: tuple[str, ...]) -> None:
        self._standings = Standings(objectives[0] if objectives else "")
        # of several objectives no trial is the best one
        self._one = len(objectives) == 1

    @classmethod
    def of(cls, summary: StudySummary) -> Mapping[int, Standing]:
        """Standings of all trials of ``summary``, by number."""
        every = cls(summary.objectives)
        for row in summary.rows:
            every.add(row)
        return every.beside(summary)

    def add(self, row: TrialRow) -> None:
        """Add a trial that has ended; one that is not complete has no predictions."""
        if not row.values or not self._standings.useful:
            return
        found = predictions.load(TrialPaths(row.folder).predictions)
        if found is not None:
            self._standings.add(row.number, found.ids, found.labels, found.logits)

    def beside(self, summary: StudySummary) -> Mapping[int, Standing]:
        """Standings beside the best trial of ``summary``, by number."""
        best = summary.best.number if summary.best is not None and self._one else -1
        return self._standings.beside(best)
