"""The one way this package writes a file, and folders that are removed again."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_aside(path: Path, content: str | bytes) -> None:
    """Write ``content`` beside ``path``, then rename, so that nobody ever reads half a file."""
    with open_aside(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def open_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write in, which becomes ``path`` when the block ends; what is too much to hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def aside_of(path: Path) -> Path:
    """A new name beside ``path``, for a file that becomes it.

    Unlike a file of ``tempfile`` it is made as any other, as readable as the umask says.
    """
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


@contextlib.contextmanager
def undone_on(refusals: tuple[type[Exception], ...], folder: Path) -> Iterator[None]:
    """Remove ``folder``, if it is new, and folders made for it where one of these is raised."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except refusals:
        if folder in new:
            shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(new)
        raise


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # something lies in it, or it was never made
            folder.rmdir()


@contextlib.contextmanager
def made_folders(folder: Path) -> Iterator[None]:
    """Make ``folder`` for the block; after it, what was made and is empty goes again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        _remove_empty(made)
