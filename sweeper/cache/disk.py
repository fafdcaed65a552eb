"""Disks that do not take what is written to them: a reason to do without the cache."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_PROBE = bytes(1 << 20)


class NotKept(Exception):
    """The cache cannot keep an entry; the text says why and what to do."""


@contextlib.contextmanager
def within(folder: Path) -> Iterator[None]:
    """Whatever the system refuses in the store's own steps is a reason to do without.

    Raises:
        NotKept: it refused one.
    """
    try:
        yield
    except OSError as error:
        raise NotKept(f"{describe(error)}; {advice(folder)}") from error


def advice(folder: Path) -> str:
    """What to do about it."""
    return (
        f"free some of the disk of {folder}, or set XDG_CACHE_HOME to a folder that can be written"
    )


def refusal(error: OSError, folder: Path) -> str | None:
    """What keeps ``folder`` from being written, None where ``error`` is about something else.

    A file that may not be read elsewhere, such as an image, is something else.
    """
    if error.errno in _FULL:
        return describe(error)
    if error.errno in _FORBIDDEN and _lies_in(error.filename, folder):
        return describe(error)
    # NumPy says how many items it could not write, and not why
    return None if error.errno is not None else _refused(folder)


def describe(error: OSError) -> str:
    """The system's words for it."""
    return f"{error.strerror or error} ({type(error).__name__})"


def _lies_in(name: object, folder: Path) -> bool:
    return isinstance(name, str) and Path(name).absolute().is_relative_to(folder.absolute())


def _refused(folder: Path) -> str | None:
    """Why a small file cannot be written to ``folder`` now, None where it can."""
    file = folder / ".probe"
    try:
        file.write_bytes(_PROBE)
    except OSError as error:
        return describe(error)
    finally:
        file.unlink(missing_ok=True)
    return None
