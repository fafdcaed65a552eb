"""Two classifiers on the same images: which is better, and whether that may be chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.05
"""A difference that chance alone gives less often than this counts."""
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """Of a challenger with a champion.

    Attributes:
        images: how many both have classified.
        challenger: how many of them the challenger classified correctly.
        champion: the same of the champion.
        gained: correct by the challenger alone.
        lost: correct by the champion alone.
    """

    images: int
    challenger: int
    champion: int
    gained: int
    lost: int

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
    def turned(self) -> "Comparison":
        """The same with the two exchanged."""
        return Comparison(self.images, self.champion, self.challenger, self.lost, self.gained)

    @property
    def wins(self) -> bool:
        """Whether the challenger is better beyond chance."""
        return self.p_value < LEVEL

    @property
    def difference(self) -> tuple[float, float, float]:
        """Of the accuracies, with its 95 % interval.

        Agresti and Min (2005): Wald's interval after half an image is added to each of the four
        cells, which keeps a width where few or no images differ.
        """
        value = (self.gained - self.lost) / self.images
        total, gained, lost = self.images + 2.0, self.gained + 0.5, self.lost + 0.5
        middle = (gained - lost) / total
        spread = np.sqrt((gained + lost) - (gained - lost) ** 2 / total) / total
        half = float(stats.norm.ppf((1 + _CONFIDENCE) / 2) * spread)
        return value, max(middle - half, -1.0), min(middle + half, 1.0)


def compare(challenger: NDArray[np.bool_], champion: NDArray[np.bool_]) -> Comparison:
    """Compare by ``[n]`` whether each image was classified correctly, in the same order."""
    return Comparison(
        len(challenger),
        int(challenger.sum()),
        int(champion.sum()),
        int((challenger & ~champion).sum()),
        int((champion & ~challenger).sum()),
    )
