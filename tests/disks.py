"""Disks that fill up."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

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
