"""Examples to batches of resized images, in an order that a seed alone decides."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.examples import Examples

_READY = 2
"""Batches decoded ahead of the model: one in use, one spare."""

NUMBERS = 1
"""Version of how images are resized and ordered, part of the cache keys of what is kept of them.
Raise it when other ones may come out; ``tests/test_golden_numbers.py`` notices."""

as_written = tf.autograph.experimental.do_not_convert
"""For functions of datasets, and those within them, which AutoGraph need not convert.

It would look through each for a twentieth of a second, and keep what it made of it in the system's
temporary folder, where the process of a trial leaves it.
"""

Target = Callable[[tf.Tensor], Any]
"""From labels ``[b]`` int64 to what the loss compares with, a tensor or several."""


@dataclass(frozen=True)
class Batches:
    """Images ``[b, s, s, 3]`` float32, whole numbers in [0, 255], and targets made of labels.

    ``steps`` batches make one epoch over ``images`` images; the last may be smaller.

    Attributes:
        labels: ``[images]`` int64, in the order of the examples.
        epoch: from the int64 number of an epoch to its batches; equal numbers, equal batches.
    """

    labels: NDArray[Any]
    images: int
    steps: int
    epoch: Callable[[Any], tf.data.Dataset]

    def epochs(self, first: int, last: int) -> tf.data.Dataset:
        """Batches of the epochs from ``first`` up to and without ``last``, one after another."""
        dataset = tf.data.Dataset.range(first, last).flat_map(as_written(self.epoch))
        count = tf.data.experimental.assert_cardinality((last - first) * self.steps)
        return dataset.apply(count).prefetch(_READY).with_options(plain_options())

    @cached_property
    def dataset(self) -> tf.data.Dataset:
        """Batches of one epoch; made once, since tracing its functions takes time."""
        return self.epochs(0, 1)


def parallelism() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def plain_options() -> tf.data.Options:
    """Ordered, and without what costs time or memory (TensorFlow 2.21).

    Autotune stalls the end of every epoch. The default optimizations rewrite the graph whenever an
    iterator is made, and for that copy every tensor that it uses: the whole of a mapped file.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    options.deterministic = True
    return options


def batches(
    examples: Examples,
    image_size: int,
    batch_size: int,
    *,
    target: Target,
    shuffle_seed: int | None,
) -> Batches:
    """Decode, resize (bilinear, aspect ratio not kept) and batch.

    Args:
        examples: what to read. Shuffling holds a number of each, or its raw element where
            ``elements`` does not give that.
        image_size: side of the square images, in pixels.
        batch_size: of all batches but the last.
        target: what a batch of labels becomes.
        shuffle_seed: each epoch has an order of its own, the same for the same seed and number of
            the epoch; None keeps the examples' order.
    """
    cores = parallelism()
    count = len(examples)
    source, fetch = _source(examples)

    def decoded(*one: Any) -> tuple[tf.Tensor, tf.Tensor]:
        raw, label = fetch(*one)
        return examples.decode(raw), label

    def resized(images: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return resize(images, examples.size, image_size), label

    def finished(images: tf.Tensor, label: tf.Tensor) -> tuple[Any, ...]:
        made = target(label)
        return (images, *made) if isinstance(made, tuple) else (images, made)

    def epoch(number: Any) -> tf.data.Dataset:
        dataset = shuffled(source, count, shuffle_seed, number)
        if examples.size is None:
            dataset = dataset.map(lambda *one: resized(*decoded(*one)), cores)
            return dataset.batch(batch_size).map(finished)
        # one size: a whole batch is resized in one operation, and decoded in one where that can be
        if examples.batched:
            dataset = dataset.batch(batch_size)
            return dataset.map(lambda *many: finished(*resized(*decoded(*many))), cores)
        dataset = dataset.map(decoded, cores).batch(batch_size)
        return dataset.map(lambda images, label: finished(*resized(images, label)), cores)

    return Batches(
        labels=examples.labels,
        images=count,
        steps=math.ceil(count / batch_size),
        epoch=epoch,
    )


def _source(examples: Examples) -> tuple[tf.data.Dataset, Callable[..., tuple[Any, tf.Tensor]]]:
    """What is shuffled, and from some of it to raw elements and labels."""
    if examples.elements is None:
        labels = tf.data.Dataset.from_tensor_slices(examples.labels)
        return tf.data.Dataset.zip(examples.raw(), labels), lambda raw, label: (raw, label)
    # each tensor that a shuffle holds takes hundreds of bytes: no path and no label is there
    with tf.device("CPU"):
        held = tf.constant(examples.elements(examples.indices)), tf.constant(examples.labels)

    def fetch(places: tf.Tensor) -> tuple[Any, tf.Tensor]:
        with tf.device("CPU"):
            raw, label = (tf.gather(one, places) for one in held)
        return raw, label

    return tf.data.Dataset.range(len(examples)), fetch


def shuffled(
    dataset: tf.data.Dataset, count: int, shuffle_seed: int | None, epoch: Any
) -> tf.data.Dataset:
    """All ``count`` elements of ``dataset`` in the order that :func:`batches` gives that epoch.

    It depends on the three numbers alone: what else is known of the images, such as features, comes
    in the order of the images. Called within a function of a dataset, as ``Batches.epoch`` is.

    Args:
        dataset: its elements are held, all of them.
        count: how many there are.
        shuffle_seed: as for :func:`batches`; None keeps the order.
        epoch: int64, the number of the epoch.
    """
    if shuffle_seed is None:
        return dataset
    # stateless: an epoch that is trained again has the order that it had
    words = tf.stack([tf.constant(shuffle_seed, tf.int64), tf.cast(epoch, tf.int64)])
    seed = tf.random.stateless_uniform([], words, maxval=None, minval=None, dtype=tf.int64)
    # of this graph alone: the process' own seed would count too, and fails where it is 0
    tf.compat.v1.set_random_seed(1)
    return dataset.shuffle(count, seed, reshuffle_each_iteration=False)


def resize(images: tf.Tensor, size: tuple[int, int] | None, side: int) -> tf.Tensor:
    """``[..., h, w, 3]`` uint8 to ``[..., side, side, 3]`` float32, whole numbers.

    They are whole so that training, validation, test and what is kept as uint8 see one image.
    """
    if size == (side, side):
        return tf.cast(images, tf.float32)
    # antialias changes nothing where an image grows, and costs twice as much there
    shrinks = size is None or max(size) > side
    if size is None:
        images = tf.ensure_shape(images, [None, None, 3])
    resized = tf.image.resize(images, (side, side), method="bilinear", antialias=shrinks)
    return tf.ensure_shape(tf.round(resized), [*resized.shape[:-3], side, side, 3])
