"""Which files a person means: files, folders, patterns, a list on standard input."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from sweeper.data.image_reading.formats import HEIF, READABLE, UNREADABLE, kind_of_file

STANDARD_INPUT = "-"
_IMAGES = READABLE | HEIF | UNREADABLE
"""Suffixes of images; another file of a folder is one if its first bytes say so."""


def image_files(named: Iterable[str], listed: TextIO) -> Iterator[str]:
    """The files that are meant, in order, one after the other, so that there may be any number.

    Args:
        named: files; folders, whose images are meant, at any depth and sorted; patterns such as
            ``photos/*.png``; ``-``, for names on ``listed``, one a line.
        listed: standard input.

    A file that is named is given whatever it is, and a name that means nothing as it is: whoever
    opens it reports it.
    """
    for name in named:
        if name == STANDARD_INPUT:
            yield from (line.rstrip("\n") for line in listed if line.strip())
        else:
            yield from _meant_by(name)


def _meant_by(name: str) -> Iterator[str]:
    path = Path(name).expanduser()
    if path.is_dir():
        yield from _below(path)
    elif path.exists() or not glob.has_magic(name):
        yield name
    else:
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - in any folder
        for match in matches:
            yield from _below(Path(match)) if Path(match).is_dir() else (match,)
        if not matches:
            yield name


def _below(folder: Path) -> Iterator[str]:
    inside = sorted(folder.iterdir())
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _below(path)
        elif path.suffix.lower() in _IMAGES or kind_of_file(path) is not None:
            yield str(path)
