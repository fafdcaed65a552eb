"""Labelled images that are not decoded yet, and how they are parted."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.errors import ConfigError

Indices = NDArray[np.int64]

_TEST, _VALIDATION, _FOLDS = 0, 1, 2
"""Second word of a split's seed, so that the splits are drawn independently."""

_SHOWN = 10
"""Classes named in one message."""


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
        class_names: label ``k`` means ``class_names[k]``; may be empty when nobody asks.
        content: a text that is another one whenever some image of the source, as ``decode`` gives
            it, may be another; TensorFlow's version apart. It reads no image, and raises OSError
            where a file is out of reach. None where the source cannot say.
        batched: ``decode`` takes a batch of raw elements ``[b, ...]`` as well, and gives images
            ``[b, height, width, 3]`` of one ``size``.
    """

    labels: Indices
    indices: Indices
    read: Callable[[Indices], tf.data.Dataset]
    decode: Callable[[Any], tf.Tensor]
    size: tuple[int, int] | None
    name: Callable[[int], str] = "image {}".format
    class_names: tuple[str, ...] = ()
    content: Callable[[], str] | None = None
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


@dataclass(frozen=True)
class Source:
    """A data set: label ``k`` means ``class_names[k]``."""

    class_names: tuple[str, ...]
    train: Examples
    test: Examples


def class_counts(labels: Indices, n_classes: int) -> Indices:
    """``[n_classes]`` int64: how many of the labels ``[n]`` are 0, how many 1, and so on."""
    return np.bincount(labels, minlength=n_classes).astype(np.int64)


def split_validation(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Part training examples into (train, validation), stratified; see :func:`split_test`."""
    return _hold_out(examples, fraction, seed, _VALIDATION, "dataset.validation_fraction")


def split_test(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Part examples into (train, test), stratified and the same for the same seed.

    The held-out part has ``round(fraction * n)`` examples and within 1 of ``fraction`` of every
    class; but at least one example, and never the last one of a class.

    Raises:
        ConfigError: a class has a single image.
    """
    return _hold_out(examples, fraction, seed, _TEST, "dataset.test_fraction")


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


def _hold_out(
    examples: Examples, fraction: float, seed: int, stream: int, key: str
) -> tuple[Examples, Examples]:
    counted = class_counts(examples.labels, len(examples.class_names))
    single = np.flatnonzero(counted == 1)
    if len(single):
        raise ConfigError(
            [
                f"{key} cannot be held out: {_named(examples, single)} a single image; "
                "add images, or remove such classes"
            ]
        )
    draws = np.random.default_rng([seed, stream])
    members = [np.flatnonzero(examples.labels == label) for label in np.unique(examples.labels)]
    members = [members[place] for place in draws.permutation(len(members))]
    counts = _counts([len(places) for places in members], Fraction(str(fraction)), draws.random())
    held = [draws.permutation(places)[:n] for places, n in zip(members, counts, strict=True)]
    chosen = np.zeros(len(examples), dtype=bool)
    chosen[np.concatenate(held)] = True
    return examples.select(np.flatnonzero(~chosen)), examples.select(np.flatnonzero(chosen))


def _counts(sizes: list[int], fraction: Fraction, draw: float) -> list[int]:
    """How many to take from each class: its quota, rounded so that the sum is rounded as well.

    Systematic sampling (Madow, 1949): one random offset, added to the running sum of the quotas,
    decides all roundings, so small classes get their turn in proportion. Exact fractions, because
    a float error at a whole number would take one too many.
    """
    quotas = [min(fraction * size, Fraction(size - 1)) for size in sizes]
    total = sum(quotas, Fraction(0))
    wanted = max(1, round(total))
    low, high = max(Fraction(0), wanted - total), min(Fraction(1), wanted + 1 - total)
    bound = low + (high - low) * Fraction(draw)
    sums = [bound]
    for quota in quotas:
        sums.append(sums[-1] + quota)
    return [int(after) - int(before) for before, after in pairwise(sums)]
