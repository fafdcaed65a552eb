"""Files of JSON, one value a line, that are appended to and survive a kill at any byte."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeper.disk.flock import EXCLUSIVE, FREE, flock

_BLOCK = 65536
_THREADS = threading.Lock()


def append(path: Path, *values: Mapping[str, Any]) -> None:
    """Append a line for each of ``values``; together they are there or not.

    Half a line that a killed process, or a full disk, has left at the end is removed first. NaN and
    infinity are written as Python's json module writes and reads them. Several threads, and
    where the disk has locks several processes, may append at once.

    Raises:
        OSError: the disk does not take it; the file is as it was.
    """
    text = "".join(f"{json.dumps(value)}\n" for value in values).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        with _alone(descriptor):
            end = _whole(descriptor)
            try:
                written = os.write(descriptor, text)
                while written < len(text):  # the next call raises why
                    written += os.write(descriptor, text[written:])
            except OSError:
                os.ftruncate(descriptor, end)
                raise
    finally:
        os.close(descriptor)


def read(path: Path, offset: int = 0) -> Iterator[tuple[Any, int]]:
    """Each whole line from byte ``offset`` on, with the offset of the line after it.

    Nothing where there is no file. It ends before a line that is half written, or that is no JSON.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                value = json.loads(line)
            except ValueError:
                return
            yield value, offset


def count(path: Path, offset: int = 0) -> int:
    """How many whole lines there are from byte ``offset`` on, those included that are no JSON."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        file.seek(offset)
        return sum(line.endswith(b"\n") for line in file)


@contextlib.contextmanager
def _alone(descriptor: int) -> Iterator[None]:
    """Within the block nobody else appends.

    Otherwise a line that another one is writing looks like half a line, and is cut: the system
    lengthens a file page by page, and the length is read in between. On a disk without locks this
    holds for threads only.
    """
    with _THREADS:
        with contextlib.suppress(OSError):
            flock(descriptor, EXCLUSIVE)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                # not left to the closing: a child forked meanwhile would keep it
                flock(descriptor, FREE)


def _whole(descriptor: int) -> int:
    """Cut what stands behind the last whole line; returns where that ends."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        # the last byte alone, where the file is as it should be
        start = end - 1 if end == size else start
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end
