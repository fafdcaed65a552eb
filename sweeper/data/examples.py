"""Labelled images that are not decoded yet, and how they are split."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.stratified import Indices, draw
from sweeper.errors import ConfigError

_TEST, _VALIDATION, _FOLDS, _SUBSET = 0, 1, 2, 3
"""Second number of a split's seed, so that the splits are drawn independently."""

_SHOWN = 10
"""Classes named in one message."""

_LEAST = 3
"""Images of a class that a subset keeps where there are as many, to train, validate and test."""


Hashes = NDArray[np.bytes_]
"""``[n]`` of 16 bytes each, which are compared as a whole."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Images and labels in a fixed order; ``labels[i]`` is that of the i-th element of ``raw()``.

    Attributes:
        labels: ``[n]`` int64, known without decoding an image.
        indices: ``[n]`` ascending positions in the source, which these examples are.
        read: from ascending positions to a ``tf.data.Dataset`` of raw elements in that order.
        decode: from one raw element to an image, ``[height, width, 3]`` uint8, as graph operations.
        size: height and width in pixels when all images share them, else None.
        name: from a position to what a person calls that image: its file, or its record.
        identify: from a position to what identifies that image in its source, wherever that lies:
            the file's path below the folder of the data set, or the number of its record.
        class_names: label ``k`` means ``class_names[k]``; may be empty when nobody asks.
        content: a text that is another one whenever some image of the source, as ``decode`` gives
            it, may be another; TensorFlow's version apart. It reads no image, and raises OSError
            where a file is out of reach. None where the source cannot say.
        hashes: from ascending positions to the hash of each image, by its content alone: images of
            one hash are the same pixels, as ``decode`` gives them, in whatever data set. It may
            read all of them, and raises what reading them does. None where the source cannot say.
        batched: ``decode`` takes a batch of raw elements ``[b, ...]`` as well, and gives images
            ``[b, height, width, 3]`` of one ``size``.
    """

    labels: Indices
    indices: Indices
    read: Callable[[Indices], tf.data.Dataset]
    decode: Callable[[Any], tf.Tensor]
    size: tuple[int, int] | None
    name: Callable[[int], str] = "image {}".format
    identify: Callable[[int], str] = str
    class_names: tuple[str, ...] = ()
    content: Callable[[], str] | None = None
    hashes: Callable[[Indices], Hashes] | None = None
    batched: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def raw(self) -> tf.data.Dataset:
        """The elements as the source holds them (encoded bytes, a path), cheap to shuffle."""
        return self.read(self.indices)

    def fingerprint(self) -> str | None:
        """Another text whenever another image, or another order, may come out; labels apart.

        None where the source cannot say. Raises what ``content`` raises.
        """
        if self.content is None:
            return None
        places = hashlib.blake2b(self.indices.tobytes(), digest_size=8).hexdigest()
        return f"{self.content()} {places}"

    def select(self, chosen: Indices) -> Self:
        """The examples at these ascending places."""
        return replace(self, labels=self.labels[chosen], indices=self.indices[chosen])


def no_images() -> Indices:
    """Positions of no image."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Drawn:
    """Examples that were taken from others to serve as test, and which share of them that is."""

    test: Examples
    fraction: float


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        class_names: label ``k`` means ``class_names[k]``.
        train: what may be trained on, with the images that are given to validate by.
        test: None where the recipe wants none.
        validation: positions of those of ``train`` that the source gives to validate by; empty
            where it gives none.
        drawn: ``test`` again where it was taken from train; None where the source has one.
    """

    class_names: tuple[str, ...]
    train: Examples
    test: Examples | None
    validation: Indices = field(default_factory=no_images)
    drawn: Drawn | None = None


def class_counts(labels: Indices, n_classes: int) -> Indices:
    """``[n_classes]`` int64: how many of the labels ``[n]`` are 0, how many 1, and so on."""
    return np.bincount(labels, minlength=n_classes).astype(np.int64)


def split_validation(
    examples: Examples, fraction: float, seed: int, drawn: Drawn | None = None
) -> tuple[Examples, Examples]:
    """Split what trains into (train, validation), stratified; see :func:`split_test`.

    ``drawn`` is what was taken from ``examples`` before; a fault says so.
    """
    return _hold_out(
        examples, fraction, seed, _VALIDATION, lambda singles: _too_few(examples, drawn, singles)
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
    return examples.select(draw(examples.labels, fraction, (seed, _SUBSET), _LEAST, spare=0))


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

    return _hold_out(examples, fraction, seed, _TEST, too_few)


def split_folds(examples: Examples, folds: int, seed: int) -> list[tuple[Examples, Examples]]:
    """``folds`` times (train, validation); each example validates once, the same for the same seed.

    Validation parts differ by at most one example, overall and of each class.

    Raises:
        ConfigError: a class has fewer images than there are folds, so one would lack it.
    """
    from sklearn.model_selection import StratifiedKFold

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
    draws = np.random.MT19937(np.random.SeedSequence([seed, _FOLDS]))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=np.random.RandomState(draws))
    return [
        (examples.select(train), examples.select(validation))
        for train, validation in splitter.split(examples.labels, examples.labels)
    ]


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
    examples: Examples,
    fraction: float,
    seed: int,
    stream: int,
    too_few: Callable[[Indices], str],
) -> tuple[Examples, Examples]:
    counted = class_counts(examples.labels, len(examples.class_names))
    single = np.flatnonzero(counted == 1)
    if len(single):
        raise ConfigError([too_few(single)])
    held = draw(examples.labels, fraction, (seed, stream))
    rest = np.setdiff1d(np.arange(len(examples)), held)
    return examples.select(rest), examples.select(held)
