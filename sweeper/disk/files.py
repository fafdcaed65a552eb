"""The one way this package writes a file, and folders that are removed again."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_EFFECTIVE = os.access in os.supports_effective_ids
"""Whether the system can be asked what this process may, not the user who started it."""


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


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written to ``folder``, which need not exist; None where it can.

    A study and its tracker keep paths as text, so a name that is none is refused.
    """
    absolute = folder.absolute()
    for path in reversed((absolute, *absolute.parents)):
        name = os.fsencode(path)
        shown = name.decode("utf-8", "backslashreplace")
        if shown.encode() != name:
            return f"the name of {shown} is not UTF-8; rename it, or work in another folder"
    for path in (absolute, *absolute.parents):
        if os.path.isdir(path):  # noqa: PTH112 - that of Path raises where a name is too long
            if not os.access(path, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
                return f"{path} cannot be written; make it writable"
            return _too_long(absolute.relative_to(path), os.pathconf(path, "PC_NAME_MAX"))
        if os.path.lexists(path):
            return f"{path} is no folder; rename or remove it"
    return None


def _too_long(path: Path, longest: int) -> str | None:
    for name in path.parts:
        if len(os.fsencode(name)) > longest:
            return f"the name {name[:40]}... is longer than {longest} bytes; shorten it"
    return None


def unwritable_file(file: Path) -> str | None:
    """Why nothing can be written to ``file``, which need not exist; None where it can."""
    there = os.path.exists(file)  # noqa: PTH110 - as above
    if there and not os.access(file, os.W_OK, effective_ids=_EFFECTIVE):
        return f"{file.absolute()} cannot be written; make it writable"
    return unwritable(aside_of(file))
