"""A saved classifier at work: images of any kind to probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.batches import resize
from sweeper.data.image_reading.channels import Pixels, three_channels
from sweeper.data.image_reading.decoding import Decoder, reason
from sweeper.errors import SweeperError
from sweeper.models.inference import compiled
from sweeper.saved.card import Card, read_card


class UnreadableImage(SweeperError):
    """A file or an array is no image that can be decoded; the text says why."""


@dataclass(frozen=True)
class SavedClassifier:
    """A network with its card, from ``file``.

    Images become what training and validation saw: decoded and turned upright by the same decoder,
    resized by the same function, rounded to 8 bits.
    """

    card: Card
    network: keras.Model
    file: Path

    @classmethod
    def load(cls, path: Path) -> "SavedClassifier":
        """The classifier in a ``.keras`` file, loaded in Keras' safe mode.

        Raises:
            SweeperError: it cannot be read, or it has no card, or one of a later version.
        """
        card = read_card(path)
        try:
            network = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (OSError, ValueError) as error:
            raise SweeperError(f"{path} cannot be loaded: {error}") from error
        return cls(card, network, path)

    def decoded(self, encoded: bytes) -> Pixels:
        """``[side, side, 3]`` from the bytes of an image file.

        Raises:
            UnreadableImage: it is none, is damaged, or has too many pixels.
        """
        try:
            image: Pixels = self._decode(tf.constant(encoded)).numpy()
        except tf.errors.InvalidArgumentError:
            raise UnreadableImage(self._fault(encoded)) from None
        return image

    def resized(self, pixels: NDArray[Any]) -> Pixels:
        """``[side, side, 3]`` from uint8 ``[height, width]`` or ``[height, width, 1, 3 or 4]``.

        Raises:
            UnreadableImage: it is of another type or shape.
        """
        channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
        fits = pixels.dtype == np.uint8 and pixels.ndim in (2, 3) and channels in (1, 3, 4)
        if not fits or not pixels.size:
            raise UnreadableImage(
                f"an image is uint8 [height, width] or [height, width, 1, 3 or 4], got "
                f"{pixels.dtype} {list(pixels.shape)}"
            )
        image: Pixels = self._resize(tf.constant(three_channels(pixels))).numpy()
        return image

    def probabilities(self, images: Sequence[Pixels] | Pixels) -> NDArray[np.float32]:
        """``[n, classes]`` from images as :meth:`decoded` and :meth:`resized` give them."""
        return self.of_batch(tf.cast(np.stack(list(images)), tf.float32))

    def of_batch(self, images: tf.Tensor) -> NDArray[np.float32]:
        """``[n, classes]`` from a batch ``[n, side, side, 3]`` float32 in [0, 255]."""
        found: NDArray[np.float32] = self._predict(images).numpy()
        return found

    def _fault(self, encoded: bytes) -> str:
        """Why an image cannot be decoded: without a graph the reason has no names of its nodes."""
        try:
            Decoder(self.card.max_pixels)(tf.constant(encoded))
        except ValueError as error:
            return str(error)
        except tf.errors.InvalidArgumentError as error:
            return reason(error)
        return "it cannot be decoded"

    @cached_property
    def _predict(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return compiled(self.network)

    @cached_property
    def _decode(self) -> Callable[[tf.Tensor], tf.Tensor]:
        decoder, side = Decoder(self.card.max_pixels), self.card.image_size

        def run(encoded: tf.Tensor) -> tf.Tensor:
            with tf.device("CPU"):
                return tf.cast(resize(decoder(encoded), None, side), tf.uint8)

        signature = [tf.TensorSpec([], tf.string)]
        made: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            run, autograph=False, input_signature=signature
        )
        return made

    @cached_property
    def _resize(self) -> Callable[[tf.Tensor], tf.Tensor]:
        side = self.card.image_size

        def run(pixels: tf.Tensor) -> tf.Tensor:
            with tf.device("CPU"):
                return tf.cast(resize(pixels, None, side), tf.uint8)

        signature = [tf.TensorSpec([None, None, 3], tf.uint8)]
        made: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            run, autograph=False, input_signature=signature
        )
        return made
