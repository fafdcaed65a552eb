"""What trains, validates and tests: stratified, the same for the same seed.

An image stays in its part when others are added, removed or relabelled, see
:mod:`sweeper.data.stratified`.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count

import numpy as np
from numpy.typing import NDArray

from sweeper.data.examples import Drawn, Examples, Source, class_counts, no_images
from sweeper.data.stratified import Indices, Seed, deal, draw, draws_of
from sweeper.errors import ConfigError

_TEST, _VALIDATION, _FOLDS, _SUBSET = 0, 1, 2, 3
"""Second number of a split's seed, so that the splits are drawn independently."""

_SHOWN = 10
"""Classes named in one message."""

_LEAST = 3
"""Images of a class that a subset keeps where there are as many, to train, validate and test."""


def split_validation(
    examples: Examples, fraction: float, seed: int, drawn: Drawn | None = None
) -> tuple[Examples, Examples]:
    """Split what trains into (train, validation), stratified; see :func:`split_test`.

    ``drawn`` is what was taken from ``examples`` before; a fault says so.
    """
    return _hold_out(
        examples, fraction, (seed, _VALIDATION), lambda one: _too_few(examples, drawn, one)
    )


def given_validation(source: Source) -> tuple[Examples, Examples]:
    """What trains, and what the source gives to validate by.

    Raises:
        ConfigError: it gives nothing, or images of a class that no image trains.
    """
    validates = np.isin(source.train.indices, source.validation)
    if not validates.any():
        raise ConfigError(
            [
                "validation=given needs images that the data set gives to validate by, a folder "
                "validation/ beside train/, rows of that split, or dataset.validation_split; "
                "add some, or set validation=split"
            ]
        )
    train = source.train.select(np.flatnonzero(~validates))
    validation = source.train.select(np.flatnonzero(validates))
    unseen = np.setdiff1d(validation.labels, train.labels)
    if len(unseen):
        raise ConfigError(
            [
                f"validation=given: {_named(train, unseen)} validation images and no training "
                "images; add some, or set validation=split"
            ]
        )
    return train, validation


def subset(examples: Examples, fraction: float, seed: int) -> Examples:
    """``round(fraction * n)`` of the examples, stratified, the same for the same seed.

    But at least 3 of a class, or all where it has fewer.
    """
    if fraction == 1:
        return examples
    stream = (seed, _SUBSET)
    draws = _draws(examples, stream)
    return examples.select(draw(examples.labels, draws, fraction, stream, _LEAST, spare=0))


def split_test(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Split examples into (train, test), stratified and the same for the same seed.

    The held-out part has ``round(fraction * n)`` examples and within 1 of ``fraction`` of every
    class; but at least one example, and never the last one of a class.

    Raises:
        ConfigError: a class has a single image.
    """

    def too_few(singles: Indices) -> str:
        return (
            f"dataset.test_fraction cannot be held out: {_named(examples, singles)} a single "
            "image; add images, or remove such classes"
        )

    return _hold_out(examples, fraction, (seed, _TEST), too_few)


def split_folds(examples: Examples, folds: int, seed: int) -> list[tuple[Examples, Examples]]:
    """``folds`` times (train, validation); each example validates once, the same for the same seed.

    Validation parts differ by at most one example, overall and of each class.

    Raises:
        ConfigError: a class has fewer images than there are folds, so one would lack it.
    """
    counts = class_counts(examples.labels, len(examples.class_names))
    few = np.flatnonzero((counts > 0) & (counts < folds))
    if len(few):
        smallest = counts[few].min()
        raise ConfigError(
            [
                f"validation.folds={folds} needs {folds} images of each class, but "
                f"{_named(examples, few)} fewer; add images"
                + (f", or set validation.folds={smallest}" if smallest > 1 else "")
            ]
        )
    stream = (seed, _FOLDS)
    part = deal(examples.labels, _draws(examples, stream), folds, stream)
    return [
        (examples.select(np.flatnonzero(part != k)), examples.select(np.flatnonzero(part == k)))
        for k in range(folds)
    ]


def _draws(examples: Examples, seed: Seed) -> NDArray[np.uint64]:
    return draws_of((examples.identify(int(place)) for place in examples.indices), seed)


def _named(examples: Examples, labels: Sequence[int] | Indices) -> str:
    """``class 'cat' has``, ``classes 'cat', 'dog' have``, or the first of many."""
    names = examples.class_names
    words = [f"'{names[label]}'" if names else f"{label}" for label in labels[:_SHOWN]]
    if len(labels) > _SHOWN:
        words.append(f"and {len(labels) - _SHOWN} more")
    many = len(labels) > 1
    return f"{'classes' if many else 'class'} {', '.join(words)} {'have' if many else 'has'}"


def _too_few(examples: Examples, drawn: Drawn | None, singles: Indices) -> str:
    """Why nothing can be held out to validate by: these classes have one image left to train."""
    key = "dataset.validation_fraction cannot be held out"
    tested = class_counts(drawn.test.labels if drawn else no_images(), int(singles.max()) + 1)
    reduced = singles[tested[singles] > 0]
    if drawn is None or not len(reduced):
        named = _named(examples, singles)
        return f"{key}: {named} a single image; add images, or remove such classes"
    images = " or ".join(str(one) for one in sorted({int(tested[label]) + 1 for label in reduced}))
    share = Fraction(str(drawn.fraction))
    needed = next(n for n in count(_LEAST) if n - math.ceil(share * n) > 1)
    return (
        f"{key}: {_named(examples, reduced)} {images} images, of which one is left, since "
        f"dataset.test_fraction={drawn.fraction} took the rest for the test; add images ({needed} "
        "of a class are enough), or remove such classes"
    )


def _hold_out(
    examples: Examples, fraction: float, seed: Seed, too_few: Callable[[Indices], str]
) -> tuple[Examples, Examples]:
    counted = class_counts(examples.labels, len(examples.class_names))
    single = np.flatnonzero(counted == 1)
    if len(single):
        raise ConfigError([too_few(single)])
    held = draw(examples.labels, _draws(examples, seed), fraction, seed)
    rest = np.setdiff1d(np.arange(len(examples)), held)
    return examples.select(rest), examples.select(held)
