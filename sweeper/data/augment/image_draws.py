"""Random numbers that belong to an image: whatever stands beside it, it is changed in one way."""

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

NUMBERS = 1
"""Version of what is drawn for an image, part of the cache keys of views. Raise it when other
numbers may come out; ``tests/test_golden_numbers.py`` notices."""

_WORDS = 16
"""Numbers of 32 bits in one hash of BLAKE2b."""


def image_draws(
    hashes: NDArray[np.bytes_], seed: int, view: int, count: int
) -> NDArray[np.float32]:
    """``[n, count]``, evenly distributed in [0, 1): a function of each hash, seed and view alone.

    A hash function in place of a generator: its results are as random, and there is no state that
    would depend on how many images were drawn for before.

    Args:
        hashes: ``[n]`` of 16 bytes, of the content of each image.
        seed: of the recipe.
        view: number of the view.
        count: numbers for each image.
    """
    steps = -(-count // _WORDS)
    keys = [struct.pack("<qqq", seed, view, step) for step in range(steps)]
    words = b"".join(
        hashlib.blake2b(one, digest_size=4 * _WORDS, key=key).digest()
        for one in np.asarray(hashes).view((np.void, hashes.itemsize)).tolist()
        for key in keys
    )
    drawn = np.frombuffer(words, "<u4").reshape(len(hashes), steps * _WORDS)[:, :count]
    # of 24 bits: float32 has no more, and would round the highest of 32 up to 1
    return (drawn >> 8).astype(np.float32) / np.float32(1 << 24)
