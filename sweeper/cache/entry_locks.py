"""Locks on files of the cache, which the system frees when their holder dies, however it dies.

Where the system has no such locks (Windows), locking raises OSError, and the cache keeps nothing.
"""

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sweeper.disk.flock import AT_ONCE, EXCLUSIVE, SHARED, flock

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class LockFile:
    """An open file that can be locked; closing it gives the lock back."""

    def __init__(self, file: Path, *, create: bool = False) -> None:
        """Open ``file``, for reading only where it cannot be written; nothing is locked yet.

        Raises:
            OSError: there is no such file, or it cannot be read.
        """
        try:
            self.descriptor = os.open(file, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            try:
                self.descriptor = os.open(file, os.O_RDONLY)
            except FileNotFoundError:
                raise error from None

    def share(self) -> None:
        """Wait until nobody else has the file alone; who has it alone lets others in."""
        flock(self.descriptor, SHARED)

    def try_share(self) -> bool:
        """Share the file if nobody has it alone now."""
        return self._try(SHARED)

    def lock(self) -> None:
        """Wait until nobody else has the file, and have it alone."""
        flock(self.descriptor, EXCLUSIVE)

    def try_lock(self) -> bool:
        """Have the file alone if nobody else has it now."""
        return self._try(EXCLUSIVE)

    def _try(self, operation: int) -> bool:
        try:
            flock(self.descriptor, operation | AT_ONCE)
        except BlockingIOError:
            return False
        return True

    def is_at(self, file: Path) -> bool:
        """Whether ``file`` is still this one: it may have been removed before it was locked."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), file.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def close(self) -> None:
        # no LOCK_UN, which would take the lock from forked children that still use it
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
