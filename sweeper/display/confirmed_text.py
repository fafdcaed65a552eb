"""Trials that were run again with other seeds, in words."""

from collections.abc import Sequence

from sweeper.statistics.intervals import Figure
from sweeper.study_files.confirmed import Confirmed, ConfirmedTrial


def spelled_confirmed(trial: ConfirmedTrial) -> str:
    """The means of a trial beside what the search measured, in a sentence."""
    ended = [run for run in trial.runs if run.figures]
    failed = [run for run in trial.runs if not run.figures]
    text = f"trial {trial.number} run again: "
    if ended:
        text += f"{spelled_means(trial)}, mean of {_counted(len(ended), 'run')}"
    if failed:
        text += f"{'; ' if ended else ''}{_counted(len(failed), 'run')} failed ({failed[0].reason})"
    search = ", ".join(f"{name} {value:.4f}" for name, value in trial.search.items())
    return f"{text}; in the search {search}"


def spelled_means(trial: ConfirmedTrial) -> str:
    """The mean of each objective with its interval."""
    return ", ".join(f"{name} {_figure(figure)}" for name, figure in trial.means.items())


def spelled_choice(confirmed: Confirmed) -> str:
    """What became of the winner, and of the trial that the search had put first.

    Without a winner, as with several objectives, what became of all.
    """
    winner = confirmed.winner
    if winner is None:
        return "; ".join(map(spelled_confirmed, confirmed.trials))
    text = spelled_confirmed(winner)
    first = confirmed.trial(confirmed.best_of_search)
    if first is not None and first is not winner:
        text += f". The best of the search was {spelled_confirmed(first)}"
    return text


def confirmed_columns(names: Sequence[str]) -> list[str]:
    """Titles of the columns of a leaderboard that :func:`confirmed_cells` fills."""
    ends = ("", "_low", "_high")
    return [*(f"confirmed_{name}{end}" for name in names for end in ends), "confirmed_runs"]


def confirmed_cells(
    names: Sequence[str], confirmed: Confirmed, number: int
) -> list[float | int | None]:
    """Means and intervals of a trial, and how many runs they are of; None without any."""
    trial = confirmed.trial(number)
    if trial is None or not trial.means:
        return [None] * len(confirmed_columns(names))
    figures = [trial.means[name] for name in names]
    cells = [one for figure in figures for one in (figure.value, figure.low, figure.high)]
    return [*cells, sum(bool(run.figures) for run in trial.runs)]


def confirmed_cell(confirmed: Confirmed, number: int) -> str:
    """The mean of the first objective of a trial, with its interval, where there is little room."""
    trial = confirmed.trial(number)
    if trial is None:
        return ""
    return _figure(next(iter(trial.means.values()))) if trial.means else "failed"


def _figure(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} (95 %: {figure.low:.3f} to {figure.high:.3f})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"
