"""Flip, rotation, translation, shear and zoom of whole batches as one interpolation."""

import math

import keras
import tensorflow as tf


def warp(
    images: tf.Tensor,
    *,
    mirror_x: float | tf.Tensor = 1.0,
    mirror_y: float | tf.Tensor = 1.0,
    turns: float | tf.Tensor = 0.0,
    shift_x: float | tf.Tensor = 0.0,
    shift_y: float | tf.Tensor = 0.0,
    shear_x: float | tf.Tensor = 0.0,
    shear_y: float | tf.Tensor = 0.0,
    scale: float | tf.Tensor = 1.0,
    fill: float | None = None,
) -> tf.Tensor:
    """Mirror, turn, shift, shear and zoom images about their centres, in this order.

    That is the order of ``ImageDataGenerator``, and of the Keras layers of a recipe that has them
    one after another. Every amount is one number, or ``[batch]`` of them.

    Args:
        images: ``[batch, height, width, 3]`` float32.
        mirror_x: -1 to flip left and right, else 1; ``mirror_y`` up and down.
        turns: full turns, anticlockwise on the screen.
        shift_x: to the right, in widths; ``shift_y`` down, in heights.
        shear_x: pixels to the left for each pixel further down, the tangent of an angle;
            ``shear_y`` pixels up for each pixel further right.
        scale: above 1 shows more than the image (zooms out), below 1 less.
        fill: value of what comes into view from outside an image; None shows its reflection there.
    """
    amounts = (mirror_x, mirror_y, turns, shift_x, shift_y, shear_x, shear_y, scale)
    each = [tf.broadcast_to(tf.cast(one, tf.float32), tf.shape(images)[:1]) for one in amounts]
    return keras.ops.image.affine_transform(
        images,
        _rows(*each, height=images.shape[1], width=images.shape[2]),
        interpolation="bilinear",
        fill_mode="reflect" if fill is None else "constant",
        fill_value=fill or 0,
        data_format="channels_last",
    )


def _rows(
    mirror_x: tf.Tensor,
    mirror_y: tf.Tensor,
    turns: tf.Tensor,
    shift_x: tf.Tensor,
    shift_y: tf.Tensor,
    shear_x: tf.Tensor,
    shear_y: tf.Tensor,
    scale: tf.Tensor,
    *,
    height: int,
    width: int,
) -> tf.Tensor:
    """Where each output pixel comes from, as ``[batch, 8]`` rows of ``affine_transform``.

    An output place, seen from the image's centre, is scaled, sheared, shifted back, turned back
    and mirrored to find its input place: the image itself goes the other way.
    """
    cosine, sine = tf.cos(2 * math.pi * turns), tf.sin(2 * math.pi * turns)
    x_of_x, x_of_y = mirror_x * cosine, -mirror_x * sine
    y_of_x, y_of_y = mirror_y * sine, mirror_y * cosine
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    from_x, from_y = width * shift_x, height * shift_y

    def row(centre: float, of_x: tf.Tensor, of_y: tf.Tensor) -> list[tf.Tensor]:
        along_x = scale * (of_x + of_y * shear_y)
        along_y = scale * (of_x * shear_x + of_y)
        start = centre - of_x * from_x - of_y * from_y
        return [along_x, along_y, start - along_x * centre_x - along_y * centre_y]

    zero = tf.zeros_like(scale)
    rows = [*row(centre_x, x_of_x, x_of_y), *row(centre_y, y_of_x, y_of_y), zero, zero]
    return tf.stack(rows, axis=1)
