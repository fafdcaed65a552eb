"""Rows of a new entry of the cache that older entries have: those of images with the same content.

An entry is made for one set of images. Beside its rows it has an index, the hash of each image
(see ``content_hash.py``), by which the rows of images that are still there are found again after
others were added, removed, renamed or relabelled.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sweeper.cache.key import Key
from sweeper.cache.related import Related
from sweeper.cache.shared_cache import Cache
from sweeper.data.examples import Hashes
from sweeper.data.stratified import Indices

log = logging.getLogger(__name__)

INDEX = "content.blake2b"
HASH_BYTES = 16
_CHUNK = 1 << 22
"""Bytes that are copied in one step."""

Reused = Callable[[Path, int, int], None]
"""Called with the files of an older entry, how many rows were copied of it, and of how many."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows that is to be written: its name in an entry, and the bytes of a row."""

    name: str
    row_bytes: int


def copy_rows(
    cache: Cache,
    key: Key,
    hashes: Hashes,
    rows: RowFile,
    output: BinaryIO,
    reused: Reused = lambda _files, _count, _rows: None,
) -> NDArray[np.bool_]:
    """Copy to ``output`` what entries that are like ``key`` but for its data have of ``hashes``.

    Entries without an index, and damaged ones, are passed over; a line of the log names the latter.

    Args:
        cache: where the entries are.
        key: of the entry that is being built.
        hashes: ``[n]``, of the image of each row.
        rows: the file, in the older entries too.
        output: that file, open for writing.
        reused: called for each entry of which rows were copied, while it is in use.

    Returns:
        ``[n]``, which rows are there now.

    Raises:
        OSError: ``output`` does not take it.
    """
    known = np.zeros(len(hashes), np.bool_)
    with contextlib.closing(cache.related(key, ("data", "images"))) as older:
        for entry in older:
            if known.all():
                break
            index = _index(entry, rows)
            if index is None:
                continue
            places, sources = _matches(hashes, index, known)
            if len(places) and _is_intact(entry, rows.name):
                copied = _copy(entry.files / rows.name, rows.row_bytes, places, sources, output)
                known[places[:copied]] = True
                log.info("%d of %d rows are taken from %s", copied, len(hashes), entry.name)
                reused(entry.files, copied, len(index))
    return known


def write_rows(output: BinaryIO, rows: Indices, values: NDArray[np.generic]) -> None:
    """Put ``values[i]`` in the place ``rows[i]`` of a file of such values; ``rows`` ascend.

    Raises:
        OSError: the disk does not take it.
    """
    for first, last in _runs(np.diff(rows) != 1, len(rows)):
        output.seek(int(rows[first]) * values[0].nbytes)
        output.write(np.ascontiguousarray(values[first:last]).data)


def write_index(folder: Path, hashes: Hashes | None) -> None:
    """Write the index of the rows of ``folder``; an empty one, where nobody knows what they are."""
    (folder / INDEX).write_bytes(b"" if hashes is None else hashes.tobytes())


def read_index(folder: Path, count: int) -> Hashes | None:
    """The index of ``count`` rows, None where it is empty.

    Raises:
        OSError: there is none.
    """
    hashes: Hashes = np.frombuffer((folder / INDEX).read_bytes(), f"S{HASH_BYTES}")
    return hashes if len(hashes) == count else None


def _index(entry: Related, rows: RowFile) -> Hashes | None:
    """The hashes of the rows of ``entry``, None where it cannot serve."""
    file = entry.manifest.files.get(rows.name)
    if file is None or file.bytes % rows.row_bytes or INDEX not in entry.manifest.files:
        return None
    try:
        index = read_index(entry.files, file.bytes // rows.row_bytes)
    except (OSError, ValueError) as error:
        log.warning("%s is not reused: its index cannot be read: %s", entry.name, error)
        return None
    return index if index is not None and len(index) and _is_intact(entry, INDEX) else None


def _is_intact(entry: Related, file: str) -> bool:
    try:
        if entry.is_intact(file):
            return True
        reason = "its content has changed since it was written; `sweeper cache verify` says more"
    except OSError as error:
        reason = str(error)
    log.warning("%s is not reused: %s: %s", entry.name, file, reason)
    return False


def _matches(hashes: Hashes, index: Hashes, known: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Places that are not known yet and are in ``index``, ascending, and where they are there."""
    places = np.flatnonzero(~known)
    order = np.argsort(index, kind="stable")
    found = np.minimum(np.searchsorted(index, hashes[places], sorter=order), len(index) - 1)
    sources = order[found]
    same = index[sources] == hashes[places]
    return places[same], sources[same]


def _copy(file: Path, row_bytes: int, places: Indices, sources: Indices, output: BinaryIO) -> int:
    """Copy rows from ``sources`` to ``places``; how many, which are all unless ``file`` fails.

    It is read, not mapped: of a mapped file that is cut short meanwhile the system kills the
    reader.
    """
    breaks = (np.diff(places) != 1) | (np.diff(sources) != 1)
    with contextlib.ExitStack() as closing:
        try:
            source = closing.enter_context(file.open("rb"))
        except OSError as error:
            log.warning("%s cannot be read: %s", file, error)
            return 0
        for first, last in _runs(breaks, len(places), max(1, _CHUNK // row_bytes)):
            try:
                source.seek(int(sources[first]) * row_bytes)
                content = source.read((last - first) * row_bytes)
            except OSError as error:
                log.warning("%s cannot be read to its end: %s", file, error)
                return first
            if len(content) != (last - first) * row_bytes:
                log.warning("%s was cut short while it was read", file)
                return first
            output.seek(int(places[first]) * row_bytes)
            output.write(content)
    return len(places)


def _runs(
    breaks: NDArray[np.bool_], count: int, longest: int | None = None
) -> Iterator[tuple[int, int]]:
    """First places, and those behind the last, of runs without a break and of limited length."""
    bounds = [0, *(np.flatnonzero(breaks) + 1).tolist(), count]
    for first, last in pairwise(bounds):
        step = longest or max(1, last - first)
        for start in range(first, last, step):
            yield start, min(start + step, last)
