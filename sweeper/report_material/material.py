"""All that a report shows and only data and network can tell, each part by itself."""

from collections.abc import Callable

from sweeper.advance import OnAdvance
from sweeper.config import Recipe
from sweeper.errors import SweeperError
from sweeper.records import StudySummary
from sweeper.report.damage import whole
from sweeper.report.reader import StudyReader, read_recipe
from sweeper.report_material.counting import save_counts
from sweeper.report_material.worst_mistakes import save_worst_mistakes
from sweeper.study_files import predictions
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.runtime import numerics


def make_material(paths: StudyPaths, on_advance: OnAdvance, *, examine: bool) -> list[str]:
    """Make what the report of a study lacks, about its best trial.

    Args:
        paths: of the study.
        on_advance: called as images are looked at.
        examine: whether to look for duplicates, leaks and wrong labels too.

    Returns:
        A sentence for each part that could not be made: the report does without it.

    Raises:
        SweeperError: there is no study in that folder.
        OSError: the disk does not take it.
    """
    reader = StudyReader(paths.folder)
    summary = reader.summary()
    best = summary.best
    if best is None:
        return []
    trial = TrialPaths(best.folder)
    try:
        recipe = read_recipe(trial)
    except SweeperError as error:
        return [str(error)]
    numerics.set_up(recipe)
    study, files = reader.about.study, paths.report_files
    parts: dict[str, Callable[[], None]] = {
        "not all trials have intervals": lambda: _check_predictions(summary),
        "classes are not counted": lambda: save_counts(recipe, files),
        "there are no pictures of mistakes": lambda: save_worst_mistakes(
            recipe, trial, study, best.number, files
        ),
    }
    if examine:
        parts["the data is not examined"] = lambda: _examine(recipe, paths, on_advance)
    faults = []
    for what, make in parts.items():
        try:
            make()
        except SweeperError as error:
            faults.append(f"{what}: {error}")
    return faults


def _check_predictions(summary: StudySummary) -> None:
    for row in summary.rows:
        whole(predictions.load, TrialPaths(row.folder).predictions)


def _examine(recipe: Recipe, paths: StudyPaths, on_advance: OnAdvance) -> None:
    from sweeper.data_doctor.examination import examined
    from sweeper.data_doctor.report_files import write_report

    with examined(recipe, on_advance) as found:
        write_report(found, recipe, paths.data_report)
