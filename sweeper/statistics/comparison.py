"""Two classifiers on the same images: which is better, and whether that may be chance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sweeper.statistics.intervals import Figure, of_mean

LEVEL = 0.025
"""A difference counts that chance alone gives less often than this, in each of the two tests: at
most one in twenty equal models is called better."""
_CONFIDENCE = 0.95
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, eq=False)
class Scores:
    """Of a classifier, for each of ``n`` images.

    Attributes:
        right: ``[n]``, whether it was classified correctly.
        losses: ``[n]``, its cross-entropy in nats.
    """

    right: NDArray[np.bool_]
    losses: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], truth: NDArray[np.int64]) -> "Scores":
        """From ``[n, classes]`` probabilities and the ``[n]`` true classes."""
        of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
        return cls(probabilities.argmax(axis=1) == truth, -np.log(np.maximum(of_truth, _TINY)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Of a challenger with a champion, by their scores for the same images."""

    challenger: Scores
    champion: Scores

    @property
    def images(self) -> int:
        """How many both have classified."""
        return len(self.challenger.right)

    @property
    def gained(self) -> int:
        """Images that the challenger alone classifies correctly."""
        return int((self.challenger.right & ~self.champion.right).sum())

    @property
    def lost(self) -> int:
        """Images that the champion alone classifies correctly."""
        return int((self.champion.right & ~self.challenger.right).sum())

    @property
    def p_value(self) -> float:
        """How often chance alone gives the challenger so many of the images that differ, or more.

        McNemar's test (1947) in its exact form, one-sided: the images that both get right or both
        get wrong say nothing, and of the others each is the challenger's with probability 1/2.
        """
        differing = self.gained + self.lost
        if not differing:
            return 1.0
        return float(stats.binomtest(self.gained, differing, 0.5, alternative="greater").pvalue)

    @property
    def accuracy(self) -> Figure:
        """The difference of the accuracies, with its 95 % interval.

        Agresti and Min (2005): Wald's interval after half an image is added to each of the four
        cells, which keeps a width where few or no images differ.
        """
        total, gained, lost = self.images + 2.0, self.gained + 0.5, self.lost + 0.5
        middle = (gained - lost) / total
        spread = np.sqrt((gained + lost) - (gained - lost) ** 2 / total) / total
        half = float(stats.norm.ppf((1 + _CONFIDENCE) / 2) * spread)
        value = (self.gained - self.lost) / self.images
        return Figure(value, max(middle - half, -1.0), min(middle + half, 1.0))

    @cached_property
    def log_loss(self) -> Figure:
        """The mean difference of the cross-entropies, with its 95 % interval; below 0 is better."""
        difference = self.challenger.losses - self.champion.losses
        return Figure(float(difference.mean()), *of_mean(difference))

    @property
    def wins(self) -> bool:
        """Whether the challenger is better beyond chance.

        That is in accuracy; or in log loss, with an accuracy that is no lower.
        """
        high = self.log_loss.high
        surer = high is not None and high < 0
        return self.p_value < LEVEL or (surer and self.gained >= self.lost)

    def spelled(self) -> str:
        """The figures for a person, on one line."""
        loss, accuracy = self.log_loss, self.accuracy
        return (
            f"accuracy {accuracy.value:+.4f}{_interval(accuracy)}, correct alone {self.gained} "
            f"against {self.lost} (p = {self.p_value:.2g}); log loss {loss.value:+.4f}"
            f"{_interval(loss)}"
        )


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 %: {figure.low:+.4f} to {figure.high:+.4f})"
