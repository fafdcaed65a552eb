"""Disks that fill up."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWN_DISK = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
"""A shell's: mounted in a name space of its own (``unshare -rm``), it ends with the process."""


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file of this process may be larger than ``size`` bytes, as if its disk filled up.

    Not a fixture: pytest reports a test before it tears its fixtures down, and what it prints may
    go to a file that is larger already.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class OwnDisk:
    """A small disk of memory at ``folder``, which only processes begun by :meth:`command` see."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        hold = ["sh", "-c", "echo mounted && exec sleep infinity"]
        mount = ["unshare", "-rm", "sh", "-c", OWN_DISK, "sh", f"size={size}", str(folder)]
        self._holder = subprocess.Popen([*mount, *hold], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"mounted\n":
            self.close()
            raise OSError("this system lets nobody mount a disk of their own")

    def command(self, *words: str, start: Path | None = None) -> list[str]:
        """``words`` as a command that sees the disk, and begins there or in ``start``."""
        enter = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(self._holder.pid)]
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(start or self.folder), *words]

    @property
    def inside(self) -> Path:
        """The disk, as other processes see it."""
        return Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def fill(self) -> None:
        """Take all the space that is free."""
        with suppress(OSError), (self.inside / "filler").open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass

    def free(self) -> None:
        """Give back what :meth:`fill` took."""
        (self.inside / "filler").unlink()

    def close(self) -> None:
        """Unmount it; what it holds is gone."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
