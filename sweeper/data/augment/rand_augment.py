"""RandAugment: a few operations drawn for each image, all of one strength.

Cubuk et al. 2019, "RandAugment: Practical automated data augmentation with a reduced search space",
with the ranges of AutoAugment (Cubuk et al. 2018, table 6), its grey where an image has been moved
away, and the image operations of Pillow, which both papers used. Nothing is mirrored.

``keras.layers.RandAugment`` (3.15.1) is another thing: it draws one operation for the whole batch,
computes all eleven to keep one, equalizes by the histogram of the batch instead of the image's,
darkens the border where it sharpens, and its strength 0.5 turns images upside down (0 to 180
degrees, one way only).
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from sweeper.data.augment.geometry import warp

Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Images ``[b, s, s, 3]`` in [0, 255] and strengths ``[b]`` in [-1, 1] to images in [0, 255].

The sign says which way, for operations that go two ways.
"""

_SHEAR = 0.3
_SHIFT = 150 / 331
_TURN = 30 / 360
_BLEND = 0.9
"""Brightness, colour, contrast and sharpness at full strength: times 0.1 or 1.9."""
_LOST_BITS = 4
_GREY = (0.299, 0.587, 0.114)
_FILL = 128
"""A reflection would show parts of the image mirrored: nearly half of it at a full shift."""


def rand_augment(
    images: tf.Tensor, seed: tf.Tensor, operations: int, magnitude: float
) -> tf.Tensor:
    """Change each image by ``operations`` operations of its own, drawn with replacement.

    Args:
        images: ``[batch, size, size, 3]`` float32 in [0, 255]; at least 3 pixels a side.
        seed: ``[2]`` integers; equal seeds draw the same.
        operations: for each image, one after another.
        magnitude: strength in [0, 1], where 1 is the end of AutoAugment's ranges (10 of its scale).
    """
    count = tf.shape(images)[0]
    chosen = []
    for step in tf.unstack(tf.random.split(seed, operations)):
        which, way = tf.unstack(tf.random.split(step))
        kinds = tf.random.stateless_uniform([count], which, 0, len(OPERATIONS), tf.int32)
        chosen.append((kinds, tf.random.stateless_uniform([count], way, 0, 2, tf.int32)))
    return apply_operations(images, chosen, magnitude)


def apply_operations(
    images: tf.Tensor, chosen: Sequence[tuple[tf.Tensor, tf.Tensor]], magnitude: float
) -> tf.Tensor:
    """Change each image by operations that were drawn for it.

    Args:
        images: as for :func:`rand_augment`.
        chosen: for each step ``[batch]`` int32 twice: the place in :data:`OPERATIONS`, and which
            way of two the operation goes, 0 or 1.
        magnitude: as for :func:`rand_augment`.
    """
    shape = tf.shape(images)
    for kinds, ways in chosen:
        strengths = magnitude * tf.cast(2 * ways - 1, tf.float32)

        # Each image goes through its own operation only, in a batch with those that drew the same.
        def parts(values: tf.Tensor, kinds: tf.Tensor = kinds) -> list[tf.Tensor]:
            return tf.dynamic_partition(values, kinds, len(OPERATIONS))  # type: ignore[no-any-return]

        changed = [
            operation(some, strength)
            for operation, some, strength in zip(
                OPERATIONS, parts(images), parts(strengths), strict=True
            )
        ]
        stitched = tf.dynamic_stitch(parts(tf.range(shape[0])), changed)
        images = tf.ensure_shape(tf.reshape(stitched, shape), images.shape)
    return images


def _for_pixels(values: tf.Tensor) -> tf.Tensor:
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _grey(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(images * tf.constant(_GREY), axis=-1, keepdims=True)


def _blend(images: tf.Tensor, degenerate: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Away from the degenerate image, or towards it, as ``PIL.ImageEnhance`` does."""
    factor = _for_pixels(1 + _BLEND * strength)
    return tf.clip_by_value(degenerate + (images - degenerate) * factor, 0, 255)


def _brightness(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _blend(images, tf.zeros_like(images), strength)


def _colour(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _blend(images, _grey(images), strength)


def _contrast(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _blend(images, tf.reduce_mean(_grey(images), axis=[1, 2], keepdims=True), strength)


def _sharpness(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """The border keeps its pixels: they have no eight neighbours to be smoothed with."""
    kernel = tf.constant([[1, 1, 1], [1, 5, 1], [1, 1, 1]], tf.float32) / 13
    kernel = tf.tile(kernel[:, :, tf.newaxis, tf.newaxis], [1, 1, 3, 1])
    # Not padding="VALID": of an empty batch oneDNN gives it the wrong shape (TensorFlow 2.21).
    smooth = tf.nn.depthwise_conv2d(images, kernel, strides=[1, 1, 1, 1], padding="SAME")
    lost = tf.pad((images - smooth)[:, 1:-1, 1:-1], [[0, 0], [1, 1], [1, 1], [0, 0]])
    return _blend(images, images - lost, strength)


def _posterize(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    step = _for_pixels(2 ** tf.round(_LOST_BITS * tf.abs(strength)))
    return tf.floor(images / step) * step


def _solarize(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    threshold = _for_pixels(256 * (1 - tf.abs(strength)))
    return tf.where(images < threshold, images, 255 - images)


def _auto_contrast(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Each channel from 0 to 255; what spans less than one level is noise, and stays."""
    low = tf.reduce_min(images, axis=[1, 2], keepdims=True)
    span = tf.reduce_max(images, axis=[1, 2], keepdims=True) - low
    wide = tf.minimum((images - low) * 255 / tf.maximum(span, 1), 255)  # it may round past the end
    return tf.where(span < 1, images, wide)


def _equalize(images: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Each channel's 256 levels equally often, by the integer rule of ``PIL.ImageOps.equalize``."""
    channels = tf.transpose(tf.cast(tf.round(images), tf.int32), [0, 3, 1, 2])
    shape = tf.shape(channels)
    rows, pixels = shape[0] * 3, shape[2] * shape[3]
    levels = tf.reshape(channels, [rows, pixels])
    # Not tf.math.bincount: on a GPU it refuses to run under op determinism (TensorFlow 2.21).
    places = levels + 256 * tf.range(rows)[:, tf.newaxis]
    counts = tf.math.unsorted_segment_sum(tf.ones_like(places), places, 256 * rows)
    counts = tf.reshape(counts, [rows, 256])
    brightest = tf.reduce_max(levels, axis=1, keepdims=True)
    step = (pixels - tf.gather(counts, brightest, batch_dims=1)) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    table = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    # Too few pixels beside the brightest to be spread: Pillow leaves such a channel alone.
    equalized = tf.where(step > 0, tf.gather(table, levels, batch_dims=1), levels)
    return tf.cast(tf.transpose(tf.reshape(equalized, shape), [0, 2, 3, 1]), tf.float32)


OPERATIONS: tuple[Operation, ...] = (
    lambda images, strength: images,
    lambda images, strength: warp(images, shear_x=_SHEAR * strength, fill=_FILL),
    lambda images, strength: warp(images, shear_y=_SHEAR * strength, fill=_FILL),
    lambda images, strength: warp(images, shift_x=_SHIFT * strength, fill=_FILL),
    lambda images, strength: warp(images, shift_y=_SHIFT * strength, fill=_FILL),
    lambda images, strength: warp(images, turns=_TURN * strength, fill=_FILL),
    _brightness,
    _colour,
    _contrast,
    _sharpness,
    _posterize,
    _solarize,
    _auto_contrast,
    _equalize,
)
"""The fourteen of the paper; the first one leaves an image as it is."""
