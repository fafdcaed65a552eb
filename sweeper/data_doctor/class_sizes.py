"""How many images each class has, and whether its accuracy can be judged by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from sweeper.data.examples import class_counts
from sweeper.data_doctor.collection import SPLITS, TEST, TRAIN, VALIDATION, Collection
from sweeper.statistics.intervals import of_share

WIDEST = 0.4
"""Of a 95 % interval of a class's accuracy that still says something: 20 points either way."""


@dataclass(frozen=True)
class ClassSize:
    """Images of one class by split."""

    name: str
    images: Mapping[str, int]

    @property
    def total(self) -> int:
        """In all splits."""
        return sum(self.images.values())


@cache
def least_to_judge() -> int:
    """Validation images from which the interval of a class's accuracy is no wider than allowed.

    Where half of them are right, as it is widest there (Wilson's interval).
    """
    images = 2
    while True:
        low, high = of_share(images // 2, images)
        if high - low <= WIDEST:
            return images
        images += 1


def class_sizes(collection: Collection) -> list[ClassSize]:
    """Of every class, those without images too."""
    classes = len(collection.class_names)
    counts = {
        split: class_counts(collection.labels[collection.splits == split], classes)
        for split in SPLITS
        if split in collection.splits
    }
    return [
        ClassSize(name, {split: int(of_split[label]) for split, of_split in counts.items()})
        for label, name in enumerate(collection.class_names)
    ]


def judging_split(collection: Collection) -> str | None:
    """The split whose images judge trials; None where the data cannot be split.

    With ``validation=kfold`` it is train, each image of which validates once.
    """
    if collection.unsplit:
        return None
    if np.any(collection.folds >= 0):
        return TRAIN
    return VALIDATION if VALIDATION in collection.splits else TEST


def too_small(collection: Collection) -> list[str]:
    """Classes with fewer images to judge trials by than :func:`least_to_judge`."""
    split = judging_split(collection)
    if split is None:
        return []
    least = least_to_judge()
    return [
        one.name for one in class_sizes(collection) if one.total > 0 and one.images[split] < least
    ]
