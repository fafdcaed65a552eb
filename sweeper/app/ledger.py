"""What all trials of a study computed and did not have to, on the study's run and the screen."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sweeper.display.console import open_console
from sweeper.records import (
    COMPUTED,
    FEATURES,
    PREBUILT,
    SAVED_BY_CACHE,
    SAVED_BY_PRUNING,
    StudySummary,
)
from sweeper.study_files.result import read_result
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, last_metric

_NAMED = 10
"""Trials that are named in one line."""


def add_prebuilt(study: Journal, seconds: float) -> None:
    """Add ``seconds`` that went into what all trials share, by this controller, to those before."""
    study.log_metrics({PREBUILT: _prebuilt(study) + seconds}, step=0)


def close_ledger(summary: StudySummary, study: Journal, reruns: Iterable[Path]) -> None:
    """Add up what all trials computed and did not have to, and say it.

    One that was tried again counts no more: its epochs are those that its successor began with.

    Args:
        summary: the study.
        study: its run.
        reruns: folders of trials that were run again.
    """
    own = {row.number: _metrics(row.folder) for row in summary.rows if row.counts}
    trials = [*own.values(), *(_metrics(folder) for folder in reruns)]
    total = {
        name: sum(metrics.get(name, 0.0) for metrics in trials)
        for name in (COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING)
    }
    before_trials = _prebuilt(study)
    total[COMPUTED] += before_trials
    total[SAVED_BY_CACHE] -= before_trials
    study.log_metrics(total, step=0)
    open_console().print(
        f"computed {total[COMPUTED]:.0f} s; saved {total[SAVED_BY_CACHE]:.0f} s by the cache, "
        f"{total[SAVED_BY_PRUNING]:.0f} s by pruning",
        soft_wrap=True,
    )
    if text := _by_trials(own):
        open_console().print(text, soft_wrap=True)


def _by_trials(metrics: Mapping[int, Mapping[str, float]]) -> str:
    """Which trials computed frozen layers, as the first one of each node does; empty for none."""
    computed = {
        number: of_trial[FEATURES] for number, of_trial in metrics.items() if of_trial.get(FEATURES)
    }
    if not computed:
        return ""
    numbers = [str(number) for number in computed]
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    one = len(numbers) == 1
    return (
        f"frozen layers were computed by trial{'' if one else 's'} {', '.join(numbers[:_NAMED])}"
        f"{more}, {sum(computed.values()):.1f} s; {len(metrics) - len(computed)} others found "
        "them computed"
    )


def _metrics(folder: Path) -> Mapping[str, float]:
    result = read_result(TrialPaths(folder).result)
    return {} if result is None else result.metrics


def _prebuilt(study: Journal) -> float:
    return last_metric(study.entries(), PREBUILT) or 0.0
