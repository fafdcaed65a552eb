"""A model that was made of trials, and how it compares with the winner."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.saved.metrics import figures
from sweeper.statistics.comparison import Comparison, Scores
from sweeper.statistics.intervals import Figure


@dataclass(frozen=True)
class Made:
    """A model from images to probabilities.

    Attributes:
        model: the network.
        how: what it was made of, for a person.
        networks: how many networks compute each prediction.
    """

    model: keras.Model
    how: str
    networks: int


@dataclass(frozen=True, eq=False)
class Gain:
    """Of a model over the winner: figures of both on the same images, and the paired comparison."""

    before: Mapping[str, Figure]
    after: Mapping[str, Figure]
    comparison: Comparison


def gain(
    before: NDArray[np.float32], after: NDArray[np.float32], labels: NDArray[np.int64]
) -> Gain:
    """Compare ``[n, classes]`` probabilities of the winner and of another model."""
    comparison = Comparison(Scores.of(after, labels), Scores.of(before, labels))
    return Gain(figures(before, labels), figures(after, labels), comparison)
