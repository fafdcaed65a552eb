"""What every image is, found once and remembered: whether it decodes, and what else is odd.

Every image is decoded whole, by the decoder that training uses: a truncated JPEG has a sound
header. What was found is kept in the user's cache under a name made of the files' paths, sizes and
times, so an unchanged data set is not decoded again, and a changed one never meets an old answer.
"""

import functools
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper import paths
from sweeper.data.batches import as_written, parallelism, plain_options
from sweeper.data.examples import Examples
from sweeper.data.image_reading.channels import FLAT
from sweeper.data.image_reading.decoding import reason
from sweeper.data.image_reading.formats import HEAD
from sweeper.data.images import OnImages, no_callback
from sweeper.data.sources.listing import Part, shortened
from sweeper.data.sources.naming import printable
from sweeper.data.sources.scan_record import Scan, Undecodable, keep, recall
from sweeper.errors import ConfigError

_VERSION = "decoded, flat, dark, twins"
"""What a scan looks for; change it whenever it finds something else."""

_BATCH = 64
"""Images reported in one step: Python is slower than the decoder of small ones, and large ones take
a tenth of a second each."""

_DARK = 64
"""Of 255: values of 14 bits in a file of 16 bits stay below it."""

_SIXTEEN_BITS = r"(?s)\CPNG\r\n\x1a\n\C{16}\x10\C*|(?:II\*\x00|MM\x00\*)\C*"
"""PNG of 16 bits a value, and TIFF, which often has as many."""

_HASHES = 2**63 - 1


def scan(parts: Sequence[Part], on_images: OnImages = no_callback) -> Scan:
    """Decode all images of ``parts``, or recall what an earlier scan of the same files found.

    ``on_images`` is called as they are decoded here.

    Raises:
        ConfigError: a file cannot be read at all, whatever it holds.
    """
    file = paths.scan_file(_fingerprint(parts))
    kept = recall(file)
    if kept is not None:
        return kept
    total, looks = sum(len(part.examples) for part in parts), list[_Look]()
    for part in parts:
        before = sum(len(look.decoded) for look in looks)
        looks.append(_look(part, functools.partial(_advance, on_images, before, total)))
    made = Scan(
        tuple(_undecodable(part.examples, look) for part, look in zip(parts, looks, strict=True)),
        tuple(
            _positions(part.examples, look.flat) for part, look in zip(parts, looks, strict=True)
        ),
        tuple(
            _positions(part.examples, look.dark) for part, look in zip(parts, looks, strict=True)
        ),
        _twins(parts, looks),
    )
    try:
        keep(file, made, {printable(part.where): len(part.examples) for part in parts})
    except OSError as error:
        why = f"{error.strerror or error}"
        note = (
            f"what the scan of {parts[0].where} found cannot be kept in {file.parent} ({why}), "
            "so it is repeated whenever it is needed; set XDG_CACHE_HOME=<folder to write in>"
        )
        return replace(made, notes=(note,))
    return made


def _advance(on_images: OnImages, before: int, total: int, done: int) -> None:
    on_images(before + done, total)


def _fingerprint(parts: Sequence[Part]) -> str:
    """A hash that differs whenever other images, or other pixels of them, may be found."""
    # the decoder's version; and of each file all that changes when its bytes do
    seen = hashlib.sha256(f"{_VERSION} {tf.version.VERSION}".encode())
    faults = []
    for part in parts:
        seen.update(os.fsencode(f"\0{part.where}\0{part.feature}\0{part.decoder.key}\0"))
        seen.update(part.examples.indices.tobytes())
        for path in part.files:
            try:
                status = Path(path).stat()
            except OSError as error:
                faults.append(_unreadable(printable(path), f"{error.strerror}"))
                continue
            seen.update(os.fsencode(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"))
    if faults:
        raise ConfigError(shortened(faults, "such files"))
    return seen.hexdigest()


@dataclass(frozen=True)
class _Look:
    """Of each example ``[n]``: was it decoded, the hash of its bytes, is it flat, is it dark."""

    decoded: NDArray[np.bool_]
    hashes: NDArray[np.int64]
    flat: NDArray[np.bool_]
    dark: NDArray[np.bool_]


def _look(part: Part, on_images: Callable[[int], None]) -> _Look:
    """Decode all images of ``part``, on all cores; ``on_images`` gets how many are done."""

    def look(place: tf.Tensor, raw: Any) -> tuple[tf.Tensor, ...]:
        encoded = part.encoded(raw)
        image = part.decoder(encoded)
        # a few numbers of each, or every image would be copied into Python
        low, high = tf.reduce_min(image), tf.reduce_max(image)
        deep = tf.strings.regex_full_match(tf.strings.substr(encoded, 0, HEAD), _SIXTEEN_BITS)
        dark = deep & (high < _DARK)
        return place, tf.strings.to_hash_bucket_fast(encoded, _HASHES), high - low < FLAT, dark

    found = part.examples.raw().enumerate().map(as_written(look), parallelism())
    batched = found.ignore_errors().batch(_BATCH).with_options(plain_options())
    n = len(part.examples)
    none = np.zeros(n, np.bool_)
    made = _Look(none, np.zeros(n, np.int64), none.copy(), none.copy())
    for places, hashes, flat, dark in batched.as_numpy_iterator():
        made.decoded[places] = True
        made.hashes[places], made.flat[places], made.dark[places] = hashes, flat, dark
        on_images(int(places.max()) + 1)
    return made


def _undecodable(examples: Examples, look: _Look) -> tuple[Undecodable, ...]:
    suspects = examples.select(np.flatnonzero(~look.decoded))
    found, unreadable = [], []
    for position, raw in zip(suspects.indices.tolist(), suspects.raw(), strict=True):
        name = examples.name(position)
        try:
            examples.decode(raw)
        except ValueError as error:
            found.append(Undecodable(position, name, str(error)))
        except tf.errors.InvalidArgumentError as error:
            found.append(Undecodable(position, name, reason(error)))
        except tf.errors.OpError as error:  # of the file system: nothing is known of the image
            unreadable.append(_unreadable(name, reason(error)))
    if unreadable:
        raise ConfigError(shortened(unreadable, "such files"))
    return tuple(found)


def _positions(examples: Examples, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(examples.indices[chosen].tolist())


def _twins(
    parts: Sequence[Part], looks: Sequence[_Look]
) -> tuple[tuple[tuple[int, int], ...], ...]:
    hashes = np.concatenate([look.hashes[look.decoded] for look in looks])
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    done = 0
    for number, (part, look) in enumerate(zip(parts, looks, strict=True)):
        positions = part.examples.indices[look.decoded]
        words = inverse[done : done + len(positions)]
        done += len(positions)
        # objects of Python are made of twins alone, which are few
        shared = counts[words] > 1
        for place, word in zip(positions[shared].tolist(), words[shared].tolist(), strict=True):
            groups[word].append((number, place))
    return tuple(map(tuple, groups.values()))


def _unreadable(name: str, reason: str) -> str:
    return f"{name} cannot be read ({reason}); fix its permissions or its place, or remove it"
