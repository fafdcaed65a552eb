"""Labelled images that are not decoded yet."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.stratified import Indices

Hashes = NDArray[np.bytes_]
"""``[n]`` of 16 bytes each, which are compared as a whole."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Images and labels in a fixed order; ``labels[i]`` is that of the i-th element of ``raw()``.

    Attributes:
        labels: ``[n]`` int64, known without decoding an image.
        indices: ``[n]`` ascending positions in the source, which these examples are.
        read: from ascending positions to a ``tf.data.Dataset`` of raw elements in that order. None
            where ``elements`` gives them.
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
        elements: from ascending positions to the raw elements as one array, where these are small
            (a path, a place): epochs then shuffle numbers of 8 bytes. None where they are large, or
            come one after the other.
        batched: ``decode`` takes a batch of raw elements ``[b, ...]`` as well, and gives images
            ``[b, height, width, 3]`` of one ``size``.
    """

    labels: Indices
    indices: Indices
    read: Callable[[Indices], tf.data.Dataset] | None
    decode: Callable[[Any], tf.Tensor]
    size: tuple[int, int] | None
    name: Callable[[int], str] = "image {}".format
    identify: Callable[[int], str] = str
    class_names: tuple[str, ...] = ()
    content: Callable[[], str] | None = None
    hashes: Callable[[Indices], Hashes] | None = None
    elements: Callable[[Indices], NDArray[Any]] | None = None
    batched: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def raw(self) -> tf.data.Dataset:
        """The elements as the source holds them (encoded bytes, a path), cheap to shuffle."""
        if self.elements is not None:
            return tf.data.Dataset.from_tensor_slices(self.elements(self.indices))
        assert self.read is not None, "a source gives one of the two"
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
