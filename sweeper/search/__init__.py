"""The study: search space, trials in slots, progress. Knows neither Keras nor MLflow."""

from sweeper.errors import TrialPruned
from sweeper.search.trials.current import CurrentTrial, current_trial, report

__all__ = ["CurrentTrial", "TrialPruned", "current_trial", "report"]
