"""What an image is, whatever it is called: a hash of what it is decoded from, and of the rules."""

import hashlib
import logging
from typing import Any

import numpy as np
import tensorflow as tf

from sweeper.data.batches import parallelism, plain_options
from sweeper.data.examples import Examples, Hashes
from sweeper.data.row_reuse import HASH_BYTES

log = logging.getLogger(__name__)

_BATCH = 16
"""Files are held in so many at a time, and hashed while the next are read."""


def hashed(encoded: tf.data.Dataset, rules: str) -> Hashes:
    """``[n]``: BLAKE2b of 16 bytes of each element of ``encoded``, which are bytes or arrays.

    Two images of one hash are decoded to the same pixels. Nobody finds two others of one hash, not
    even on purpose.

    Args:
        encoded: the content of each file, or of each record.
        rules: another text whenever other pixels may come of the same content.

    Raises:
        tf.errors.OpError: an element cannot be read.
    """
    key = hashlib.blake2b(rules.encode()).digest()
    # numbers of one shape each: they are all as large
    batches = encoded.batch(_BATCH).prefetch(2).with_options(plain_options())
    found = [_hash(one, key) for batch in batches.as_numpy_iterator() for one in batch]
    return np.array(found, f"S{HASH_BYTES}")


def hashed_files(paths: tf.data.Dataset, rules: str) -> Hashes:
    """:func:`hashed` of the content of files, read on all cores."""
    return hashed(paths.map(tf.io.read_file, parallelism()), rules)


def is_unchanged(examples: Examples, fingerprint: str) -> bool:
    """Whether ``examples`` are still those of ``fingerprint``: what was read of them fits together.

    Hashes and pixels are read one after the other. A line of the log says where files have changed.
    """
    try:
        if examples.fingerprint() == fingerprint:
            return True
        reason = "it has changed meanwhile"
    except OSError as error:
        reason = str(error)
    log.warning("what was computed of the data set now is not reused for others: %s", reason)
    return False


def _hash(content: Any, key: bytes) -> bytes:
    of_bytes = content if isinstance(content, bytes) else np.asarray(content).tobytes()
    return hashlib.blake2b(of_bytes, digest_size=HASH_BYTES, key=key).digest()
