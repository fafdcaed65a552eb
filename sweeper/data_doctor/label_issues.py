"""Which labels are likely wrong, by confident learning (Northcutt et al., JAIR 2021).

The two rules that are used here, with numpy alone: an image is ranked by the probability of its
given label (self-confidence), and counts as mislabelled where another class is more probable than
usual for images of that class. ``cleanlab`` has these rules too
(``filter_by="confident_learning"``, ``rank_by="self_confidence"``), and marks the same images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 5
"""Images of a class, copies counted once, from which its labels are judged: one in each fold."""
UNSURE = 0.5
"""Accuracy of the heads below which what counts as mislabelled is mostly what they cannot tell."""


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """What the heads say of the given labels.

    Attributes:
        ranked: numbers of the judged images, the most likely mislabelled first.
        scores: ``[n]``, probability of the given label.
        suggestions: ``[n]``, the most probable class.
        wrong: ``[n]``, whether the label counts as likely wrong.
        judged: ``[n]``, whether the label could be judged.
        unjudged: classes with too few images to judge labels.
        accuracy: of the heads on the judged images by their given labels; None without any.
    """

    ranked: NDArray[np.int64]
    scores: NDArray[np.float32]
    suggestions: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    unjudged: tuple[int, ...]
    accuracy: float | None


def judge_labels(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> LabelIssues:
    """Rank images by how likely their labels are wrong.

    Args:
        probabilities: ``[n, classes]``, out of fold.
        labels: ``[n]``.
        groups: ``[n]``, copies of one image have one number.
    """
    count, classes = probabilities.shape
    sizes = np.array([len(np.unique(groups[labels == label])) for label in range(classes)])
    large = sizes >= LEAST
    judged = large[labels] & (large.sum() > 1)
    scores = probabilities[np.arange(count), labels]
    suggestions = probabilities.argmax(axis=1)
    wrong = judged & (_confident(probabilities, labels, judged) != labels)
    places = np.flatnonzero(judged)
    right = suggestions == labels
    return LabelIssues(
        places[np.argsort(scores[places], kind="stable")],
        scores,
        suggestions,
        wrong,
        judged,
        tuple(np.flatnonzero((sizes > 0) & ~(large & (large.sum() > 1))).tolist()),
        float(right[places].mean()) if len(places) else None,
    )


def _confident(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], judged: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """``[n]``: the class that is more probable than usual for images of that class.

    The most probable of several; the given label where there is none. What is usual is the mean
    over images with that label.
    """
    usual = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels[judged]):
        usual[label] = probabilities[judged & (labels == label), label].mean()
    passing = np.where(probabilities >= usual, probabilities, -1)
    return np.where(passing.max(axis=1) >= 0, passing.argmax(axis=1), labels)
