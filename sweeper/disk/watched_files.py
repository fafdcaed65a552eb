"""Files and folders that must stay where they are while something writes to them."""

from collections.abc import Iterable
from pathlib import Path


class WatchedFiles:
    """Notices that one of ``paths``, which exist, was deleted, moved or replaced.

    On POSIX systems a file that is deleted lives on for those who have it open: what they write
    is lost without an error.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._identities = {path: _identity(path) for path in paths}

    def add(self, path: Path) -> None:
        """Watch ``path``, which exists, too."""
        self._identities[path] = _identity(path)

    def lost(self) -> Path | None:
        """The first that is no longer what it was, None where all are there."""
        known = self._identities.items()
        changed = (path for path, was in known if was is None or _identity(path) != was)
        return next(changed, None)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
