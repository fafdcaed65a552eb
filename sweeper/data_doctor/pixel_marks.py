"""Two small marks of each image: a hash of its pixels, and a grey thumbnail to compare."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.advance import OnAdvance
from sweeper.data.batches import as_written, batches
from sweeper.data_doctor.collection import Collection

SIDE = 32
"""Of a thumbnail, in pixels: 1 KB an image."""
MARK = "comparing pixels: a hash and a thumbnail of each image"
_BATCH = 32


@dataclass(frozen=True, eq=False)
class PixelMarks:
    """Marks of ``n`` images.

    Attributes:
        hashes: ``[n]`` uint64, of the pixels in the size of the recipe.
        thumbnails: ``[n, SIDE, SIDE]`` uint8, grey.
    """

    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]


def marks_of(collection: Collection, image_size: int, on_advance: OnAdvance) -> PixelMarks:
    """Read every image once, in the size of the recipe: what the network sees is compared."""
    count = len(collection)
    made = PixelMarks(np.zeros(count, np.uint64), np.zeros((count, SIDE, SIDE), np.uint8))

    def small(images: Any, _label: Any) -> tuple[tf.Tensor, tf.Tensor]:
        grey = tf.image.resize(tf.image.rgb_to_grayscale(images), (SIDE, SIDE), method="area")
        return tf.cast(images, tf.uint8), tf.cast(tf.round(grey[..., 0]), tf.uint8)

    done = 0
    for one in collection.sets:
        plain = batches(
            one.examples, image_size, _BATCH, target=lambda label: label, shuffle_seed=None
        )
        for pixels, thumbnails in plain.dataset.map(as_written(small)).as_numpy_iterator():
            words = [hashlib.blake2b(image, digest_size=8).digest() for image in pixels]
            until = done + len(pixels)
            made.hashes[done:until] = np.frombuffer(b"".join(words), np.uint64)
            made.thumbnails[done:until] = thumbnails
            done = until
            on_advance(MARK, done, count)
    return made
