"""Random changes of training images, drawn from a seed and the number of the draw.

A batch draws for each place in it. Images that are kept as they were changed draw for each image,
by what it shows: it is changed alike whatever else is in the data set.

The order is fixed: geometry, brightness, contrast, RandAugment, MixUp or CutMix. Geometry first,
so that what it shows of a reflection is lit like the rest; light before contrast, whose mean it
moves; RandAugment after the recipe's own changes and on values that are back in [0, 255], where
its operations are defined (it keeps them there); mixing last, so that both images of a pair have
gone through changes of their own.

Flip, rotation, translation and zoom are distributed like ``keras.layers.RandomFlip``,
``RandomRotation``, ``RandomTranslation`` and ``RandomZoom``, contrast like ``RandomContrast``.
Three things differ from a row of Keras layers. Geometry is one interpolation instead of one each:
half the time, and less blur. Nothing is remembered between calls, so batches may be augmented in
parallel and still come out the same in every process. Shear turns about the image's centre, where
``RandomShear`` has its upper left corner and so shifts the image too. Brightness multiplies, as
``ImageDataGenerator`` and torchvision do; ``RandomBrightness`` adds.
"""

from dataclasses import dataclass

import tensorflow as tf

from sweeper import config
from sweeper.data.augment.geometry import warp
from sweeper.data.augment.mix import mix
from sweeper.data.augment.rand_augment import OPERATIONS, apply_operations, rand_augment

_AMOUNTS = 10
"""Numbers drawn for geometry, brightness and contrast, used or not."""

NUMBERS = 1
"""Version of the pixels that this module and those beside it draw, part of the cache keys of views.
Raise it when other pixels may come out; ``tests/test_golden_numbers.py`` notices."""


def build_augment(augment: config.Augment, seed: int) -> "Augmentation | None":
    """The augmentation a recipe asks for, or None when all of it is off."""
    return None if augment.changes_nothing else Augmentation(augment, seed)


@dataclass(frozen=True)
class Augmentation:
    """Batches to changed batches; equal ``seed``, ``draw`` and inputs give equal results.

    It holds no variables: it may be called by ``tf.data``'s ``map`` on any number of threads,
    inside a ``tf.function``, and eagerly (where some last bits differ, since a graph fuses
    operations). XLA cannot compile it: it knows no interpolation of images.
    """

    settings: config.Augment
    seed: int

    @property
    def mixes(self) -> bool:
        """Whether targets are changed too, with those of other images of the batch."""
        return bool(self.settings.mixup or self.settings.cutmix)

    def __call__(
        self, images: tf.Tensor, targets: tf.Tensor, draw: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Change a batch; each image by itself, or with its neighbour where the recipe mixes.

        Args:
            images: ``[batch, height, width, 3]`` float32 in [0, 255]; height and width are known,
                the batch's size need not be.
            targets: ``[batch, units]`` float32, smoothed or not.
            draw: number of the batch, int64; another one makes other changes.

        Returns:
            Images and targets of the same shapes, dtypes and ranges.
        """
        settings = self.settings
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(draw, tf.int64)])
        own, operations, mixing = tf.unstack(tf.random.split(seed, 3))
        shape = [_AMOUNTS, tf.shape(images)[0]]
        drawn = tf.random.stateless_uniform(shape, own, minval=-1, maxval=1)
        images = self._change(images, drawn)
        if settings.rand_augment:
            images = rand_augment(
                images, operations, settings.rand_augment, settings.rand_augment_magnitude
            )
        if self.mixes:
            images, targets = mix(images, targets, mixing, settings.mixup, settings.cutmix)
        return images, targets

    @property
    def draws(self) -> int:
        """How many numbers :meth:`by_image` takes for each image."""
        return _AMOUNTS + 2 * self.settings.rand_augment

    def by_image(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Change each image by numbers of its own; for settings that mix no images.

        Args:
            images: ``[batch, height, width, 3]`` float32 in [0, 255].
            drawn: ``[batch, draws]`` float32, evenly distributed in [0, 1).

        Returns:
            Images of the same shape and range.
        """
        assert not self.mixes, "it depends on the other image too"
        columns = tf.transpose(drawn)
        images = self._change(images, 2 * columns[:_AMOUNTS] - 1)
        kinds = tf.cast(columns[_AMOUNTS::2] * len(OPERATIONS), tf.int32)
        ways = tf.cast(columns[_AMOUNTS + 1 :: 2] * 2, tf.int32)
        steps = range(self.settings.rand_augment)
        chosen = [(kinds[step], ways[step]) for step in steps]
        return apply_operations(images, chosen, self.settings.rand_augment_magnitude)

    def _change(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Geometry, brightness and contrast, by ``drawn``: ``[10, batch]`` in [-1, 1)."""
        settings = self.settings
        side_x, side_y, angle, shift_x, shift_y, shear_x, shear_y, scale, light, gain = tf.unstack(
            drawn
        )
        if _moves(settings):
            horizontal = settings.flip in {"horizontal", "horizontal_and_vertical"}
            vertical = settings.flip in {"vertical", "horizontal_and_vertical"}
            images = warp(
                images,
                mirror_x=_side(side_x) if horizontal else 1.0,
                mirror_y=_side(side_y) if vertical else 1.0,
                turns=settings.rotation * angle,
                shift_x=settings.translation * shift_x,
                shift_y=settings.translation * shift_y,
                shear_x=settings.shear * shear_x,
                shear_y=settings.shear * shear_y,
                scale=1 + settings.zoom * scale,
            )
        if settings.brightness:
            images *= 1 + settings.brightness * light[:, tf.newaxis, tf.newaxis, tf.newaxis]
        if settings.contrast:
            mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
            factor = 1 + settings.contrast * gain[:, tf.newaxis, tf.newaxis, tf.newaxis]
            images = mean + (images - mean) * factor
        return tf.clip_by_value(images, 0, 255)


def _moves(settings: config.Augment) -> bool:
    amounts = (settings.rotation, settings.translation, settings.zoom, settings.shear)
    return settings.flip != "none" or any(amounts)


def _side(drawn: tf.Tensor) -> tf.Tensor:
    """-1 or 1, never the 0 of ``tf.sign``, which would collapse an image."""
    return tf.where(drawn < 0, -tf.ones_like(drawn), tf.ones_like(drawn))
