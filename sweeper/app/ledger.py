"""What all trials of a study computed and did not have to, on the study's run and the screen."""

from typing import TYPE_CHECKING

from sweeper.display.console import open_console
from sweeper.records import COMPUTED, PREBUILT, SAVED_BY_CACHE, SAVED_BY_PRUNING, StudySummary

if TYPE_CHECKING:
    from sweeper.app.runs import StudyRuns
    from sweeper.track.mlflow import MlflowRun


def add_prebuilt(study: "MlflowRun", seconds: float) -> None:
    """Add ``seconds`` that went into what all trials share, by this controller, to those before."""
    study.log_metrics({PREBUILT: _prebuilt(study) + seconds}, step=0)


def close_ledger(summary: StudySummary, runs: "StudyRuns") -> None:
    """Add up what all trials computed and did not have to, and say it.

    One that was tried again counts no more: its epochs are those that its successor began with.
    """
    from sweeper.track.mlflow import metrics_below

    of_runs = metrics_below(runs.study.client, runs.experiment_id, runs.study.run_id)
    trials = [of_runs.get(row.number, {}) for row in summary.rows if row.counts]
    total = {
        name: sum(metrics.get(name, 0.0) for metrics in trials)
        for name in (COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING)
    }
    before_trials = _prebuilt(runs.study)
    total[COMPUTED] += before_trials
    total[SAVED_BY_CACHE] -= before_trials
    runs.study.log_metrics(total, step=0)
    open_console().print(
        f"computed {total[COMPUTED]:.0f} s; saved {total[SAVED_BY_CACHE]:.0f} s by the cache, "
        f"{total[SAVED_BY_PRUNING]:.0f} s by pruning",
        soft_wrap=True,
    )


def _prebuilt(study: "MlflowRun") -> float:
    study.flush()
    return study.client.get_run(study.run_id).data.metrics.get(PREBUILT, 0.0)
