"""Examples to batches of resized images, in an order that a seed alone decides."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from sweeper.data.examples import Examples

_READY = 2
"""Batches decoded ahead of the model: one in use, one spare."""


@dataclass(frozen=True)
class Batches:
    """``dataset`` yields (images, labels): ``[b, s, s, 3]`` float32 in [0, 255], ``[b]`` int64.

    ``steps`` batches make one pass over ``images`` images; the last may be smaller.
    """

    dataset: tf.data.Dataset
    images: int
    steps: int


def parallelism() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def plain_options() -> tf.data.Options:
    """Ordered, and without autotune, which stalls the end of every epoch (TensorFlow 2.21)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return options


def batches(
    examples: Examples,
    image_size: int,
    batch_size: int,
    *,
    shuffle_seed: int | None,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None,
) -> Batches:
    """Decode, resize (bilinear, aspect ratio not kept), batch and augment.

    Args:
        examples: what to read; the raw elements of all of them are held for shuffling.
        image_size: side of the square images, in pixels.
        batch_size: of all batches but the last.
        shuffle_seed: each iteration over the dataset has its own order, and the first, second
            and so on are the same for the same seed; None keeps the examples' order.
        augment: from a batch and the int64 number of the draw to a batch of the same shape; the
            number differs from batch to batch and from iteration to iteration.
    """
    cores = parallelism()
    labels = tf.data.Dataset.from_tensor_slices(examples.labels)
    dataset = tf.data.Dataset.zip(examples.raw(), labels)
    if shuffle_seed is not None:
        dataset = dataset.shuffle(len(examples), shuffle_seed, reshuffle_each_iteration=True)

    def decoded(raw: Any, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return examples.decode(raw), label

    def resized(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _resize(image, examples.size, image_size), label

    if examples.size is None:
        dataset = dataset.map(lambda raw, label: resized(*decoded(raw, label)), cores)
        dataset = dataset.batch(batch_size)
    else:  # one size: a whole batch is resized in one operation
        dataset = dataset.map(decoded, cores).batch(batch_size).map(resized, cores)
    if augment is not None:
        draws = tf.data.Dataset.random(shuffle_seed or 0, rerandomize_each_iteration=True)

        def augmented(
            batch: tuple[tf.Tensor, tf.Tensor], draw: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = batch
            return augment(images, draw), labels

        dataset = tf.data.Dataset.zip(dataset, draws).map(augmented, cores)
    return Batches(
        dataset=dataset.prefetch(_READY).with_options(plain_options()),
        images=len(examples),
        steps=math.ceil(len(examples) / batch_size),
    )


def _resize(images: tf.Tensor, size: tuple[int, int] | None, side: int) -> tf.Tensor:
    """``[..., h, w, 3]`` uint8 to ``[..., side, side, 3]`` float32."""
    if size == (side, side):
        return tf.cast(images, tf.float32)
    # antialias changes nothing where an image grows, and costs twice as much there
    shrinks = size is None or max(size) > side
    if size is None:
        images = tf.ensure_shape(images, [None, None, 3])
    resized = tf.image.resize(images, (side, side), method="bilinear", antialias=shrinks)
    return tf.ensure_shape(resized, [*resized.shape[:-3], side, side, 3])
