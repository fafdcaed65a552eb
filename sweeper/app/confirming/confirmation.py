"""The best trials of a study are run again with other seeds, and the best mean wins."""

from collections.abc import Callable, Mapping, Sequence

from omegaconf import DictConfig

from sweeper.app.confirming.contenders import contenders, new_seeds
from sweeper.app.confirming.rerun_means import by_mean
from sweeper.app.confirming.rerun_runs import RerunRuns
from sweeper.app.runs import StudyRuns
from sweeper.config import Confirm, Recipe
from sweeper.display.confirmed_text import spelled_confirmed
from sweeper.ranking import with_winner
from sweeper.records import Rerun, StudySummary, TrialRow, TrialSpec
from sweeper.study_files.confirmed import Confirmed, ConfirmedTrial, write_confirmed
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, last_metric


def confirmation(
    confirm: Confirm | None, summary: StudySummary, runs: StudyRuns, say: Callable[[str], None]
) -> "Confirmation | None":
    """What is to be run again; None where nothing is: then the search's own figures decide.

    Raises:
        SweeperError: the folder of a trial is gone.
    """
    RerunRuns(runs).end_orphans()
    if confirm is None or summary.best is None:
        runs.paths.confirmed.unlink(missing_ok=True)
        return None
    return Confirmation(confirm, summary, runs, say)


class Confirmation:
    """What a study of fine-tunes runs again: its :class:`~sweeper.search.rerun_hooks.Reruns`.

    Args:
        confirm: how many trials, and how often.
        summary: the study when its search is over.
        runs: of the study.
        say: shows a person a sentence.

    Raises:
        SweeperError: the folder of a trial is gone.
    """

    def __init__(
        self, confirm: Confirm, summary: StudySummary, runs: StudyRuns, say: Callable[[str], None]
    ) -> None:
        self._runs, self._own, self._say = runs, RerunRuns(runs), say
        self._queue: dict[int, list[tuple[Rerun, Recipe]]] = {}  # by seed, see `queue`
        self.known = "[]"
        """What reruns may know of their networks; see :func:`sweeper.train.building.to_json`."""
        ended = self._own.ended()
        for row, recipe in contenders(summary, confirm.top, say):
            for seed in new_seeds(recipe.seed, confirm.seeds):
                folder = runs.paths.rerun(row.number, seed)
                if folder not in ended.get(row.number, {}):
                    rerun = Rerun(row, {"seed": seed}, folder.relative_to(runs.paths.folder))
                    made = recipe.model_copy(update={"seed": seed})
                    self._queue.setdefault(seed, []).append((rerun, made))

    @property
    def queue(self) -> Sequence[Rerun]:
        """One seed after the other, so that slots share what depends on the seed."""
        return [rerun for of_seed in self._queue.values() for rerun, _ in of_seed]

    @property
    def recipes(self) -> Sequence[Sequence[Recipe]]:
        """Those of :attr:`queue`; in each group stand those with the same seed."""
        return [[recipe for _, recipe in of_seed] for of_seed in self._queue.values()]

    def started(self, rerun: Rerun, spec: TrialSpec, _config: DictConfig) -> Mapping[str, str]:
        """Open its run."""
        self._own.start(spec, _seed(rerun))
        return {"study_id": self._runs.study_id, "known": self.known, "rerun": "true"}

    def finished(self, _rerun: Rerun, row: TrialRow) -> None:
        """Close its run."""
        self._runs.end_trial(row)
        TrialPaths(row.folder).learned.unlink(missing_ok=True)  # no model is made of it

    def interrupted(self, rerun: Rerun, reason: str) -> None:
        """Close its run; it continues from its checkpoint."""
        paths = TrialPaths(self._runs.paths.folder / rerun.folder)
        self._runs.interrupt_trial(paths, f"interrupted: {reason}")

    def judged(self, summary: StudySummary) -> StudySummary:
        """Write ``confirmed.json``, record the means, and let the best mean win."""
        if summary.best is None:
            return summary
        trials = by_mean(summary, self._own.ended())
        confirmed = Confirmed(self._runs.study_id, summary.best.number, trials)
        write_confirmed(self._runs.paths.confirmed, confirmed)
        rows = {row.number: row for row in summary.rows}
        for trial in trials:
            self._say(spelled_confirmed(trial))
            paths = TrialPaths(rows[trial.number].folder)
            self._record(Journal(paths.mlflow), trial)
            self._runs.delivery.add([paths.mlflow])
        winner = confirmed.winner
        if winner is not None:
            self._record(self._runs.study, winner)
        elif len(summary.maximize) == 1:
            self._say("warning: no rerun is complete, so the search's own figures decide")
        return with_winner(summary, winner.number if winner is not None else None)

    @staticmethod
    def _record(journal: Journal, trial: ConfirmedTrial) -> None:
        """Record the means as metrics, unless they are there."""
        entries, metrics = journal.entries(), dict[str, float]()
        for name, figure in trial.means.items():
            metrics[f"confirmed_{name}"] = figure.value
            if figure.low is not None and figure.high is not None:
                metrics[f"confirmed_{name}_low"] = figure.low
                metrics[f"confirmed_{name}_high"] = figure.high
        if any(last_metric(entries, name) != value for name, value in metrics.items()):
            journal.log_metrics(metrics, len(trial.runs))


def _seed(rerun: Rerun) -> int:
    seed = rerun.changes["seed"]
    assert isinstance(seed, int)
    return seed
