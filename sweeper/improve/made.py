"""A model that was made of trials, and how it compares with the winner."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.promote.comparison import Comparison, compare
from sweeper.saved.intervals import of_mean
from sweeper.saved.metrics import Figure, figures

_TINY = np.finfo(np.float32).tiny


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


@dataclass(frozen=True)
class Gain:
    """Of a model over the winner on the same images.

    Attributes:
        before: figures of the winner.
        after: those of the model.
        log_loss: the mean difference of the cross-entropy, with its 95 % interval; below 0 is
            better.
        accuracy: by the images that only one of the two classifies correctly.
    """

    before: dict[str, Figure]
    after: dict[str, Figure]
    log_loss: Figure
    accuracy: Comparison

    @property
    def helps(self) -> bool:
        """Whether the model is better beyond chance in one of the two, and in neither worse."""
        low, high = self.log_loss.low, self.log_loss.high
        better = (high is not None and high < 0) or self.accuracy.wins
        worse = (low is not None and low > 0) or self.accuracy.turned.wins
        return better and not worse


def gain(
    before: NDArray[np.float32], after: NDArray[np.float32], labels: NDArray[np.int64]
) -> Gain:
    """Compare ``[n, classes]`` probabilities of the winner and of another model."""
    difference = _losses(after, labels) - _losses(before, labels)
    return Gain(
        dict(figures(before, labels)),
        dict(figures(after, labels)),
        Figure(float(difference.mean()), *of_mean(difference)),
        compare(after.argmax(axis=1) == labels, before.argmax(axis=1) == labels),
    )


def _losses(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.maximum(of_truth, _TINY))
    return losses
