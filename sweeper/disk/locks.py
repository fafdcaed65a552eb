"""Files and folders that one process uses at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from sweeper.disk.files import made_folders
from sweeper.paths import file_name


class InUse(Exception):
    """Another process has it."""


@contextlib.contextmanager
def held(target: Path, seconds: float = 0) -> Iterator[None]:
    """Within the block no other process is in such a block for ``target``.

    The lock is a file beside ``target``, which need not exist. The system frees it when the process
    dies, however it dies; the file, and folders made for it that stayed empty, go with the block.

    Args:
        target: file or folder to have alone.
        seconds: how long to wait for another process; below 0 for ever.

    Raises:
        InUse: another process has had it all that time.
        OSError: the folder of ``target`` cannot be written.
    """
    with made_folders(target.parent):
        file = target.with_name(f".{file_name(target.name)}.lock")
        lock = FileLock(file, timeout=seconds, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise InUse from None
        try:
            yield
        finally:
            # while it is held: who waits for a file that is gone opens a new one
            file.unlink(missing_ok=True)
            lock.release()
