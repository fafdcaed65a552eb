"""The lock that the system keeps for an open file, and frees when its holder dies, however it dies.

Many may share one, or one may have it alone. A lock belongs to an open file, so that it outlives a
rename of its folder, works between threads as between processes, and is kept by children forked
while it is held.
"""

import errno
import sys

if sys.platform != "win32":
    import fcntl

    SHARED, EXCLUSIVE, AT_ONCE = fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_NB
    FREE = fcntl.LOCK_UN

    def flock(descriptor: int, operation: int) -> None:
        """Do ``operation`` on the file that ``descriptor`` belongs to.

        Raises:
            BlockingIOError: another one has it, and ``operation`` has ``AT_ONCE``.
            OSError: the system, or the disk, has no such locks.
        """
        fcntl.flock(descriptor, operation)

else:
    SHARED, EXCLUSIVE, AT_ONCE, FREE = 1, 2, 4, 8

    def flock(descriptor: int, operation: int) -> None:
        """Raise OSError."""
        raise OSError(errno.ENOTSUP, "this system has no fcntl to lock files with")
