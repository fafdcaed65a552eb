"""The fine-tunes that one trial makes, one for each fold, and what they came to together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.config import KFold, Recipe, TestSet
from sweeper.data.sources import Examples, Source, split_folds, split_validation
from sweeper.train.phases import Epoch


@dataclass(frozen=True)
class Fit:
    """What one fine-tune came to: the epoch that is kept, and its predictions for validation.

    ``truth`` is ``[n]``, ``probabilities`` ``[n, classes]``; ``epochs`` are the metrics of all.
    """

    kept: Epoch
    epochs: Sequence[Mapping[str, float]]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    costs: Mapping[str, float]
    learned: Path


def splits_of(source: Source, recipe: Recipe) -> list[tuple[Examples, Examples]]:
    """Training and validation examples of each fine-tune that a trial of ``recipe`` makes."""
    seed = recipe.dataset.split_seed
    match recipe.validation:
        case TestSet():
            return [(source.train, source.test)]
        case KFold(folds=folds):
            return split_folds(source.train, folds, seed)
    return [split_validation(source.train, recipe.dataset.validation_fraction, seed)]


def means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number over ``parts``, which have the same keys."""
    return {key: float(np.mean([part[key] for part in parts])) for key in parts[0]}


def objectives(recipe: Recipe, fits: Sequence[Fit]) -> tuple[float, ...]:
    """The recipe's objectives, means over ``fits``."""
    mean = means([{**fit.kept.metrics, **fit.costs} for fit in fits])
    return tuple(mean[name] for name in recipe.objectives)


def typical(fits: Sequence[Fit]) -> Fit:
    """The fit nearest to the mean accuracy, neither the luckiest nor the unluckiest.

    Its model is kept: the test result shall speak for the recipe.
    """
    accuracies = np.array([fit.kept.metrics["val_accuracy"] for fit in fits])
    return fits[int(np.abs(accuracies - accuracies.mean()).argmin())]
