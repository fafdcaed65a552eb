"""Random changes of training images, drawn per image from a seed and the number of the draw.

The distributions are those of ``keras.layers.RandomFlip``, ``RandomRotation``,
``RandomTranslation``, ``RandomZoom`` and ``RandomContrast``, in that order. Two things differ:
flip, rotation, translation and zoom are one interpolation instead of one each (half the time, and
less blur), and nothing is remembered between calls, so batches may be augmented in parallel and
still come out the same in every process.
"""

import math
from dataclasses import dataclass

import keras
import tensorflow as tf

from sweeper import config


@dataclass(frozen=True)
class Augmentation:
    """Images to changed images; equal ``seed`` and ``draw`` give equal changes."""

    settings: config.Augment
    seed: int

    def __call__(self, images: tf.Tensor, draw: int | tf.Tensor = 0) -> tf.Tensor:
        """Change a batch, ``[batch, height, width, 3]`` float32 in [0, 255]."""
        settings = self.settings
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(draw, tf.int64)])
        shape = [tf.shape(images)[0], 7]
        drawn = tf.unstack(tf.random.stateless_uniform(shape, seed, minval=-1, maxval=1), axis=1)
        mirror_x, mirror_y, angle, shift_x, shift_y, scale, gain = drawn
        if _moves(settings):
            horizontal = settings.flip in {"horizontal", "horizontal_and_vertical"}
            vertical = settings.flip in {"vertical", "horizontal_and_vertical"}
            rows = affine_rows(
                mirror_x=_side(mirror_x) if horizontal else tf.ones_like(mirror_x),
                mirror_y=_side(mirror_y) if vertical else tf.ones_like(mirror_y),
                turns=settings.rotation * angle,
                shift_x=settings.translation * shift_x,
                shift_y=settings.translation * shift_y,
                scale=1 + settings.zoom * scale,
                height=images.shape[1],
                width=images.shape[2],
            )
            images = keras.ops.image.affine_transform(
                images,
                rows,
                interpolation="bilinear",
                fill_mode="reflect",
                data_format="channels_last",
            )
        if settings.contrast:
            mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
            factor = 1 + settings.contrast * gain[:, tf.newaxis, tf.newaxis, tf.newaxis]
            images = mean + (images - mean) * factor
        return tf.clip_by_value(images, 0, 255)


def _moves(settings: config.Augment) -> bool:
    geometric = settings.rotation or settings.translation or settings.zoom
    return settings.flip != "none" or bool(geometric)


def _side(drawn: tf.Tensor) -> tf.Tensor:
    """-1 or 1, never the 0 of ``tf.sign``, which would collapse an image."""
    return tf.where(drawn < 0, -tf.ones_like(drawn), tf.ones_like(drawn))


def build_augment(augment: config.Augment, seed: int) -> Augmentation | None:
    """The augmentation a recipe asks for, or None when all of it is off."""
    return Augmentation(augment, seed) if _moves(augment) or augment.contrast else None


def affine_rows(
    *,
    mirror_x: tf.Tensor,
    mirror_y: tf.Tensor,
    turns: tf.Tensor,
    shift_x: tf.Tensor,
    shift_y: tf.Tensor,
    scale: tf.Tensor,
    height: int,
    width: int,
) -> tf.Tensor:
    """Where each output pixel comes from, as ``[batch, 8]`` rows of ``affine_transform``.

    An output place, seen from the image's centre, is scaled, shifted back, turned back and
    mirrored to find its input place: the image itself is mirrored, turned, shifted and zoomed.

    Args:
        mirror_x: ``[batch]``, -1 to flip left and right, else 1; ``mirror_y`` up and down.
        turns: ``[batch]``, full turns, anticlockwise on the screen.
        shift_x: ``[batch]``, to the right, in widths; ``shift_y`` down, in heights.
        scale: ``[batch]``, above 1 shows more than the image (zooms out), below 1 less.
        height: of the images, in pixels.
        width: of the images, in pixels.
    """
    cosine, sine = tf.cos(2 * math.pi * turns), tf.sin(2 * math.pi * turns)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    x_of_x, x_of_y = mirror_x * cosine, -mirror_x * sine
    y_of_x, y_of_y = mirror_y * sine, mirror_y * cosine
    from_x = scale * centre_x + width * shift_x
    from_y = scale * centre_y + height * shift_y
    zero = tf.zeros_like(scale)
    return tf.stack(
        [
            x_of_x * scale,
            x_of_y * scale,
            centre_x - x_of_x * from_x - x_of_y * from_y,
            y_of_x * scale,
            y_of_y * scale,
            centre_y - y_of_x * from_x - y_of_y * from_y,
            zero,
            zero,
        ],
        axis=1,
    )
