"""Decoded images of one size, kept once for all trials of the machine and read by memory map."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache
from sweeper.data.batches import NUMBERS, as_written, batches
from sweeper.data.examples import Examples
from sweeper.data.memory_map import mapped
from sweeper.data.stratified import Indices

log = logging.getLogger(__name__)

_FILE = "images.uint8"
_CHANNELS = 3
_BATCH = 16
"""Images of 600 x 600 are 4.3 MB each before they are rounded, and several batches are ready."""


OnImages = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""


def no_callback(_done: int, _total: int) -> None:
    """Do nothing: nobody is shown how far it is."""


@contextlib.contextmanager
def kept(
    cache: Cache, examples: Examples, image_size: int, on_images: OnImages = no_callback
) -> Iterator[Examples]:
    """Yield ``examples`` decoded, of ``image_size``, read from the machine's cache.

    They are the same images under the same places, labels and names, and may be selected from like
    any: :func:`batches` makes the same pixels of both. All processes map the same file, which stays
    as long as the context does.

    ``examples`` themselves are yielded where nothing is kept: the cache has no room, the source
    cannot say what its images are, or they lie in memory in this size.

    Args:
        cache: where the images of each set of examples and size are one entry.
        examples: all that are needed; splits and folds are selections of what is yielded.
        image_size: side of the square images, in pixels.
        on_images: called as images are decoded here.

    Raises:
        tf.errors.OpError: as reading batches of ``examples`` does, where an image cannot be decoded
            or read.
    """
    key = _key(examples, image_size)
    if key is None:
        yield examples
        return
    shape = (len(examples), image_size, image_size, _CHANNELS)

    def build(folder: Path) -> None:
        log.info("decoding %d images, to keep them as %s", len(examples), key.name)
        _write(examples, image_size, folder / _FILE, on_images)

    with cache.open(key, math.prod(shape), build) as entry:
        pixels = _map(entry.folder / _FILE, shape) if entry else None
        yield examples if pixels is None else _read(examples, pixels, key)


def _key(examples: Examples, image_size: int) -> Key | None:
    """What the pixels depend on; None where they are not worth keeping, or cannot be known."""
    if examples.batched and examples.size == (image_size, image_size):
        return None
    try:
        fingerprint = examples.fingerprint()
    except OSError as error:  # reading the image will say so, where it is needed
        log.warning("decoded images are not kept: %s", error)
        return None
    if fingerprint is None:
        return None
    return Key(
        "images",
        {
            "data": fingerprint,
            "images": len(examples),
            "image_size": image_size,
            "resized": NUMBERS,
            "tensorflow": tf.version.VERSION,
        },
    )


def _write(examples: Examples, image_size: int, file: Path, on_images: OnImages) -> None:
    plain = batches(examples, image_size, _BATCH, target=lambda label: label, shuffle_seed=None)
    small = plain.dataset.map(as_written(lambda images, _: tf.cast(images, tf.uint8)))
    # written, not mapped: who writes to a map of a full disk is killed
    with file.open("wb") as output:
        done = 0
        for images in small.as_numpy_iterator():
            output.write(images)
            done += len(images)
            on_images(done, len(examples))


def _map(file: Path, shape: tuple[int, ...]) -> tf.Tensor | None:
    """``[n, s, s, 3]`` uint8 whose memory is the file's; None where the disk cannot be mapped."""
    try:
        return mapped(file, np.uint8, shape)
    except OSError as error:
        log.warning("%s cannot be mapped, so images are decoded as needed: %s", file, error)
        return None


def _read(examples: Examples, pixels: tf.Tensor, key: Key) -> Examples:
    """``examples`` whose raw elements are places in ``pixels``."""

    def read(indices: Indices) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(np.searchsorted(examples.indices, indices))

    def decode(places: tf.Tensor) -> tf.Tensor:
        with tf.device("CPU"):  # the file stays where it is
            return tf.gather(pixels, places)

    return replace(
        examples,
        read=read,
        decode=decode,
        size=tuple(pixels.shape[1:3]),
        content=lambda: key.name,
        batched=True,
    )
