"""How good predictions are, in figures, each with its 95 % interval where one is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from sweeper.statistics.intervals import Figure, of_mean, of_share

BINS = 15
"""Of the reliability curve and the expected calibration error (Guo et al. 2017, section 2)."""
_TOP = 5


@dataclass(frozen=True)
class OfClass:
    """Of one class; figures are None where no image is of it, or none is said to be."""

    name: str
    images: int
    precision: Figure | None
    recall: Figure | None
    f1: float | None


@dataclass(frozen=True)
class Bin:
    """Of the reliability curve: images whose largest probability lies in one of equal bins."""

    images: int
    confidence: float
    accuracy: float


def figures(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> Mapping[str, Figure]:
    """Figures of all images, by name, the most important first.

    Args:
        probabilities: ``[n, classes]``.
        truth: ``[n]``, the true classes.

    Returns:
        ``accuracy``; ``top_5_accuracy`` where there are more than 5 classes;
        ``balanced_accuracy``, the mean of the recalls of the classes that are there;
        ``log_loss`` in nats; ``expected_calibration_error``.
    """
    count, classes = probabilities.shape
    found = probabilities.argmax(axis=1)
    right = int((found == truth).sum())
    of_truth = probabilities[np.arange(count), truth]
    losses = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny))
    result = {"accuracy": Figure(right / count, *of_share(right, count))}
    if classes > _TOP:
        # of equals the first class comes first, as where predictions are shown
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_TOP]
        hits = int((best == truth[:, np.newaxis]).any(axis=1).sum())
        result["top_5_accuracy"] = Figure(hits / count, *of_share(hits, count))
    present = np.unique(truth)
    recalls = sklearn.recall_score(truth, found, labels=present, average=None)
    return {
        **result,
        "balanced_accuracy": Figure(float(np.mean(recalls))),
        "log_loss": Figure(float(losses.mean()), *of_mean(losses)),
        "expected_calibration_error": Figure(calibration_error(reliability(probabilities, truth))),
    }


def of_classes(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], names: Sequence[str]
) -> list[OfClass]:
    """Precision, recall and F1 of each class, in the order of ``names``."""
    found = probabilities.argmax(axis=1)
    result = []
    for label, name in enumerate(names):
        said, true = int((found == label).sum()), int((truth == label).sum())
        both = int(((found == label) & (truth == label)).sum())
        precision = Figure(both / said, *of_share(both, said)) if said else None
        recall = Figure(both / true, *of_share(both, true)) if true else None
        f1 = 2 * both / (said + true) if said + true else None
        result.append(OfClass(name, true, precision, recall, f1))
    return result


def reliability(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> list[Bin]:
    """The bins that hold an image, from the least certain to the most certain."""
    certain = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    # the upper end belongs to a bin, as in Guo et al.
    places = np.clip(np.ceil(certain * BINS).astype(int) - 1, 0, BINS - 1)
    return [
        Bin(int(inside.sum()), float(certain[inside].mean()), float(right[inside].mean()))
        for place in range(BINS)
        if (inside := places == place).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of accuracy and confidence, each bin as often as it has images."""
    total = sum(one.images for one in bins)
    return math.fsum(one.images * abs(one.accuracy - one.confidence) for one in bins) / total
