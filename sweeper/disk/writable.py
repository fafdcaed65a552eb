"""Whether something can be written at a path, seen without writing anything."""

import os
from pathlib import Path

from sweeper.disk.files import aside_of

_EFFECTIVE = os.access in os.supports_effective_ids
"""Whether the system can be asked what this process may, not the user who started it."""
_ROOM = 256
"""Bytes of a path that files below a folder of ours take at most, names beside them included."""
_SQLITE_LONGEST = 504
"""Bytes of a database's path: SQLite has 512 (MAX_PATHNAME of os_unix.c), ``-journal`` included."""


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
            return too_long(folder)
        if os.path.lexists(path):
            return f"{path} is no folder; rename or remove it"
    return None


def unwritable_file(file: Path) -> str | None:
    """Why nothing can be written to ``file``, which need not exist; None where it can."""
    # not by methods of Path, which raise where a name is too long
    if os.path.isdir(file):  # noqa: PTH112
        return f"{file.absolute()} is a folder; name a file"
    there = os.path.exists(file)  # noqa: PTH110
    if there and not os.access(file, os.W_OK, effective_ids=_EFFECTIVE):
        return f"{file.absolute()} cannot be written; make it writable"
    return unwritable(aside_of(file))


def unwritable_database(file: Path) -> str | None:
    """Why SQLite cannot write to ``file``, which need not exist; None where it can."""
    if reason := unwritable_file(file):
        return reason
    # SQLite follows links; not Path.resolve(), which raises where one leads to itself
    length = max(len(os.fsencode(path)) for path in (file.absolute(), os.path.realpath(file)))
    if length > _SQLITE_LONGEST:
        return (
            f"the path of {file.name} has {length} bytes, of which SQLite takes "
            f"{_SQLITE_LONGEST}; shorten it"
        )
    return None


def too_long(folder: Path) -> str | None:
    """Why the file system cannot have ``folder`` and files below it; None where it can."""
    absolute = folder.absolute()
    above = (path for path in (absolute, *absolute.parents) if os.path.isdir(path))  # noqa: PTH112
    there = next(above)
    for name in absolute.relative_to(there).parts:
        if len(os.fsencode(name)) > (longest := os.pathconf(there, "PC_NAME_MAX")):
            return f"the name {name[:40]}... is longer than {longest} bytes; shorten it"
    if len(os.fsencode(absolute)) > (most := os.pathconf(there, "PC_PATH_MAX") - _ROOM):
        return f"the path {str(absolute)[:40]}... is longer than {most} bytes; shorten it"
    return None
