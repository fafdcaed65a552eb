"""How each trial of a study stands beside the best one, on the images that both predicted."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sweeper.statistics.bootstrap import of_means
from sweeper.statistics.intervals import Figure, of_mean, of_share

Logits = NDArray[np.floating]
Truth = NDArray[np.int64]


class Place(StrEnum):
    """Where a trial stands."""

    BEST = "best"
    TIED = "tied"
    BEHIND = "behind"


@dataclass(frozen=True)
class Standing:
    """Of a trial that has predictions.

    Attributes:
        figure: the objective on its images, with the 95 % interval of it alone.
        place: beside the best trial; None where that predicted other images.
        behind: by how much the best one is better, with the 95 % interval of the difference; None
            where the trial is the best, or predicted other images.
    """

    figure: Figure
    place: Place | None
    behind: Figure | None


@dataclass(frozen=True, eq=False)
class _Scores:
    """``[n]`` scores of images, higher is better, and a hash of which images these are."""

    each: NDArray[np.float32]
    images: str


class Standings:
    """Trials by number, of which one may be the best.

    A trial is tied with the best where the interval of the paired difference holds 0: with other
    images of the same kind it might have been the better one.

    Args:
        objective: by which trials are ranked; of the others than ``val_accuracy`` and ``val_loss``
            nothing is known of single images, and there are no standings.
    """

    def __init__(self, objective: str) -> None:
        self._score = _SCORES.get(objective)
        self._accuracy = objective == "val_accuracy"
        self._scores: dict[int, _Scores] = {}

    @property
    def useful(self) -> bool:
        """Whether the objective is one that is measured on single images."""
        return self._score is not None

    def add(self, number: int, ids: NDArray[np.str_], truth: Truth, logits: Logits) -> None:
        """Add what a trial predicts.

        Args:
            number: of the trial.
            ids: ``[n]``, which identify the images.
            truth: ``[n]``, the true classes.
            logits: ``[n, classes]``.
        """
        if self._score is not None and len(truth):
            images = hashlib.sha256("\0".join(ids).encode(errors="surrogatepass"))
            images.update(truth.tobytes())
            self._scores[number] = _Scores(self._score(logits, truth), images.hexdigest())

    def error(self, number: int) -> float | None:
        """The standard error of the objective of a trial that was added; None of a single image."""
        each = self._scores[number].each.astype(np.float64)
        return float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else None

    def beside(self, best: int | None) -> Mapping[int, Standing]:
        """The standing of each trial that was added, where ``best`` is the best, or none is."""
        top = None if best is None else self._scores.get(best)
        others = [
            number
            for number, one in self._scores.items()
            if top is not None and one.images == top.images and number != best
        ]
        behind: dict[int, Figure] = {}
        if top is not None and others:
            rows = np.stack([top.each - self._scores[number].each for number in others])
            for number, mean, ends in zip(others, rows.mean(axis=1), of_means(rows), strict=True):
                behind[number] = Figure(float(mean), float(ends[0]), float(ends[1]))
        found = {}
        for number, scores in self._scores.items():
            place = Place.BEST if number == best else None
            if number in behind:
                low = behind[number].low
                place = Place.TIED if low is not None and low <= 0 else Place.BEHIND
            figure = self._figure(scores.each)
            found[number] = Standing(figure, place, behind.get(number))
        return found

    def _figure(self, scores: NDArray[np.float32]) -> Figure:
        if self._accuracy:
            hits = int(scores.sum())
            return Figure(hits / len(scores), *of_share(hits, len(scores)))
        losses = -scores.astype(np.float64)
        return Figure(float(losses.mean()), *of_mean(losses))


def _right(logits: Logits, truth: Truth) -> NDArray[np.float32]:
    right: NDArray[np.bool_] = logits.argmax(axis=1) == truth
    return right.astype(np.float32)


def _log_likelihood(logits: Logits, truth: Truth) -> NDArray[np.float32]:
    from scipy import special

    every = special.log_softmax(logits.astype(np.float32), axis=1)
    found: NDArray[np.float32] = every[np.arange(len(truth)), truth]
    return found


_SCORES: Mapping[str, Callable[[Logits, Truth], NDArray[np.float32]]] = {
    "val_accuracy": _right,
    "val_loss": _log_likelihood,
}
"""By objective, ``[n]`` scores of images from their logits and true classes."""
