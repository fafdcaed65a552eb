"""How the trials of a study stand beside its best one, from the predictions in their folders."""

from collections.abc import Mapping

from sweeper.records import StudySummary
from sweeper.statistics.standings import Standing, Standings
from sweeper.study_files import predictions
from sweeper.study_files.trial_paths import TrialPaths


def figure_error(summary: StudySummary) -> float | None:
    """The standard error of the best trial's first objective, from its validation images.

    None where there is no such trial, or the objective is not measured on single images.
    """
    standings = Standings(summary.objectives[0] if summary.objectives else "")
    if not standings.useful or summary.best is None:
        return None
    found = predictions.load(TrialPaths(summary.best.folder).predictions)
    if found is None:
        return None
    standings.add(0, found.ids, found.labels, found.logits)
    return standings.error(0)


def standings_of(summary: StudySummary) -> Mapping[int, Standing]:
    """Standings of the complete trials of ``summary``, by number.

    None where the first objective is not measured on single images. With several objectives no
    trial is the best one, and trials have their intervals alone.
    """
    standings = Standings(summary.objectives[0] if summary.objectives else "")
    if not standings.useful:
        return {}
    for row in summary.rows:
        found = predictions.load(TrialPaths(row.folder).predictions) if row.values else None
        if found is not None:
            standings.add(row.number, found.ids, found.labels, found.logits)
    best = summary.best if len(summary.objectives) == 1 else None
    return standings.beside(best.number if best is not None else None)
