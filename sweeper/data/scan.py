"""Which images cannot be decoded, found once and remembered.

Every image is decoded whole, by the decoder that training uses: a truncated JPEG has a sound
header. What was found is kept in the user's cache under a name made of the files' paths, sizes and
times, so an unchanged data set is not decoded again, and a changed one never meets an old answer.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sweeper import paths
from sweeper.data.batches import as_written, parallelism, plain_options
from sweeper.data.examples import Examples
from sweeper.data.listing import Part, shortened
from sweeper.errors import ConfigError

_BATCH = 1024
"""Images told about in one step: Python is slower than the decoder of small ones."""


@dataclass(frozen=True)
class Undecodable:
    """An image at this position of its part, what a person calls it, and what the decoder says."""

    position: int
    name: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """``found`` has the undecodable images of each part; ``notes`` are sentences for the person."""

    found: tuple[tuple[Undecodable, ...], ...]
    notes: tuple[str, ...] = ()


def scan(parts: Sequence[Part]) -> Scan:
    """Decode all images of ``parts``, or recall what an earlier scan of the same files found.

    Raises:
        ConfigError: a file cannot be read at all, whatever it holds.
    """
    file = paths.scan_file(_fingerprint(parts))
    kept = _recall(file)
    if kept is not None:
        return Scan(kept)
    found = tuple(_undecodable(part.examples) for part in parts)
    content = {
        "images": {part.where: len(part.examples) for part in parts},
        "undecodable": [[asdict(one) for one in of_part] for of_part in found],
    }
    try:
        paths.write_aside(file, json.dumps(content, indent=1))
    except OSError as error:
        why = f"{error.strerror or error}"
        return Scan(
            found,
            (
                f"what the scan of {parts[0].where} found cannot be kept in {file.parent} ({why}), "
                "so it is repeated whenever it is needed; set XDG_CACHE_HOME=<folder to write in>",
            ),
        )
    return Scan(found)


def _fingerprint(parts: Sequence[Part]) -> str:
    """Another word whenever other images, or the same ones decoded otherwise, may be found."""
    # the decoder's version; and of each file all that changes when its bytes do
    seen = hashlib.sha256(tf.version.VERSION.encode())
    faults = []
    for part in parts:
        seen.update(f"\0{part.where}\0{part.feature}\0".encode())
        for path in part.files:
            try:
                status = Path(path).stat()
            except OSError as error:
                faults.append(_unreadable(path, f"{error.strerror}"))
                continue
            seen.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    if faults:
        raise ConfigError(shortened(faults, "such files"))
    return seen.hexdigest()


def _recall(file: Path) -> tuple[tuple[Undecodable, ...], ...] | None:
    """What a scan kept, or None where there is nothing that can be read."""
    try:
        content = json.loads(file.read_text())
        return tuple(
            tuple(Undecodable(**one) for one in of_part) for of_part in content["undecodable"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _undecodable(examples: Examples) -> tuple[Undecodable, ...]:
    decoded = np.zeros(len(examples), dtype=bool)
    for places in _decodable(examples).as_numpy_iterator():
        decoded[places] = True
    suspects = examples.select(np.flatnonzero(~decoded))
    found, unreadable = [], []
    for position, raw in zip(suspects.indices.tolist(), suspects.raw(), strict=True):
        name = examples.name(position)
        try:
            examples.decode(raw)
        except tf.errors.InvalidArgumentError as error:
            found.append(Undecodable(position, name, _reason(error)))
        except tf.errors.OpError as error:  # of the file system: nothing is known of the image
            unreadable.append(_unreadable(name, _reason(error)))
    if unreadable:
        raise ConfigError(shortened(unreadable, "such files"))
    return tuple(found)


def _decodable(examples: Examples) -> tf.data.Dataset:
    """Places of the examples that decode, a batch at a time, decoded on all cores."""

    def sized(place: tf.Tensor, raw: Any) -> tuple[tf.Tensor, tf.Tensor]:
        # the size alone, or every image would be copied into Python
        return place, tf.size(examples.decode(raw))

    sizes = examples.raw().enumerate().map(as_written(sized), parallelism())
    places = sizes.ignore_errors().map(as_written(lambda place, _: place)).batch(_BATCH)
    return places.with_options(plain_options())


def _unreadable(name: str, reason: str) -> str:
    return f"{name} cannot be read ({reason}); mend its permissions or its place, or remove it"


def _reason(error: tf.errors.OpError) -> str:
    """What the decoder says, without the names of graph nodes around it."""
    return str(error.message).split("}} ")[-1].split(" [Op:")[0].rstrip(".")
