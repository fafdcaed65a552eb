"""Decoded images of one size, kept once for all trials of the machine and read by memory map.

Of a data set that has changed a little only new images are decoded.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache
from sweeper.data.batches import NUMBERS, as_written, batches
from sweeper.data.content_hash import is_unchanged
from sweeper.data.examples import Examples, Hashes
from sweeper.data.memory_map import mapped
from sweeper.data.row_reuse import (
    HASH_BYTES,
    INDEX,
    RowFile,
    copy_rows,
    read_index,
    write_index,
    write_rows,
)
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
    # an index of their contents, by which they are found when the data set has changed
    size = math.prod(shape) + (HASH_BYTES * len(examples) if examples.hashes else 0)

    def build(folder: Path) -> None:
        with (folder / _FILE).open("wb") as output:
            hashes = examples.hashes(examples.indices) if examples.hashes else None
            rows = RowFile(_FILE, math.prod(shape[1:]))
            known = np.zeros(len(examples), np.bool_)
            if hashes is not None:
                known = copy_rows(cache, key, hashes, rows, output)
            lacking = np.flatnonzero(~known)
            log.info(
                "decoding %d images, to keep them as %s; %d are known",
                *(len(lacking), key.name, len(known) - len(lacking)),
            )
            _write(examples, image_size, lacking, output, on_images)
        if hashes is not None:
            write_index(folder, hashes if is_unchanged(examples, str(key.parts["data"])) else None)

    with cache.open(key, size, build) as entry:
        pixels = _map(entry.folder / _FILE, shape) if entry else None
        if entry is None or pixels is None:
            yield examples
        else:
            yield _read(examples, pixels, key, _hashes(examples, entry.folder))


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


def _write(
    examples: Examples, image_size: int, lacking: Indices, output: BinaryIO, on_images: OnImages
) -> None:
    """Decode the examples at these places, and put them into their rows of ``output``."""
    if not len(lacking):
        return
    plain = batches(
        examples.select(lacking),
        image_size,
        _BATCH,
        target=lambda label: label,
        shuffle_seed=None,
    )
    small = plain.dataset.map(as_written(lambda images, _: tf.cast(images, tf.uint8)))
    # written, not mapped: who writes to a map of a full disk is killed
    done = 0
    for images in small.as_numpy_iterator():
        write_rows(output, lacking[done : done + len(images)], images)
        done += len(images)
        on_images(done, len(lacking))


def _map(file: Path, shape: tuple[int, ...]) -> tf.Tensor | None:
    """``[n, s, s, 3]`` uint8 whose memory is the file's; None where the disk cannot be mapped."""
    try:
        return mapped(file, np.uint8, shape)
    except OSError as error:
        log.warning("%s cannot be mapped, so images are decoded as needed: %s", file, error)
        return None


def _hashes(examples: Examples, folder: Path) -> Callable[[Indices], Hashes] | None:
    """From positions to the hashes of kept images; None where nobody knows them."""
    if not (folder / INDEX).exists():
        return examples.hashes  # an entry of an earlier version
    rows = read_index(folder, len(examples))
    if rows is None:
        return None
    return lambda indices: rows[np.searchsorted(examples.indices, indices)]


def _read(
    examples: Examples,
    pixels: tf.Tensor,
    key: Key,
    hashes: Callable[[Indices], Hashes] | None,
) -> Examples:
    """``examples`` whose raw elements are places in ``pixels``."""

    def decode(places: tf.Tensor) -> tf.Tensor:
        with tf.device("CPU"):  # the file stays where it is
            return tf.gather(pixels, places)

    return replace(
        examples,
        read=None,
        elements=lambda indices: np.searchsorted(examples.indices, indices),
        decode=decode,
        size=tuple(pixels.shape[1:3]),
        content=lambda: key.name,
        hashes=hashes,
        batched=True,
    )
