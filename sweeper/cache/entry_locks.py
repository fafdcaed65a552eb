"""Locks on files that the system releases when their holder dies, however it dies.

They are those of ``flock``: many may share one, or one may have it alone. A lock belongs to an open
file, so that it outlives a rename of its folder, works between threads as between processes, and is
kept by children forked while it is held. Where there is no ``fcntl`` (Windows), locking raises
OSError, and the cache keeps nothing.
"""

import errno
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform != "win32":
    import fcntl

    SHARED, EXCLUSIVE, AT_ONCE = fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_NB

    def _flock(descriptor: int, operation: int) -> None:
        fcntl.flock(descriptor, operation)

else:
    SHARED, EXCLUSIVE, AT_ONCE = 1, 2, 4

    def _flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, "this system has no fcntl to lock files with")


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
        _flock(self.descriptor, SHARED)

    def try_share(self) -> bool:
        """Share the file if nobody has it alone now."""
        return self._try(SHARED)

    def lock(self) -> None:
        """Wait until nobody else has the file, and have it alone."""
        _flock(self.descriptor, EXCLUSIVE)

    def try_lock(self) -> bool:
        """Have the file alone if nobody else has it now."""
        return self._try(EXCLUSIVE)

    def _try(self, operation: int) -> bool:
        try:
            _flock(self.descriptor, operation | AT_ONCE)
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
