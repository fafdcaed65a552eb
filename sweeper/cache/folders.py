"""Folders of entries: where they are, who has them, when they were used, and how they go.

::

    entries/
      .lock                       held for a moment by whoever adds or removes an entry
      images-3f2a9c0d11e87b54/    a whole entry
        files/                    what the builder made
        manifest.json             written last
        use                       shared lock: in use. Content: when it was used last
      .features-77be01c2d3a4f596/ an entry being built (its builder has `use` alone),
        files/                    or a leftover (nobody has it)
        use
        reserved                  bytes that its builder has asked for
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sweeper.cache.entry_locks import LockFile
from sweeper.cache.key import NAME
from sweeper.cache.manifest import FILES, size_on_disk

USE = "use"
RESERVED = "reserved"
_LOCK = ".lock"


@contextlib.contextmanager
def change(root: Path) -> Iterator[None]:
    """Within the block, be the only one that adds or removes entries of ``root``.

    Raises:
        OSError: the folder cannot be used.
    """
    root.mkdir(parents=True, exist_ok=True)
    with LockFile(root / _LOCK, create=True) as lock:
        lock.lock()
        yield


def aside(folder: Path) -> Path:
    """Where an entry lies before it is whole, and when it goes."""
    return folder.with_name(f".{folder.name}")


def whole_folders(root: Path) -> list[Path]:
    """Folders of the entries, by name; they may be damaged."""
    return _named(root, "")


def folders_aside(root: Path) -> list[Path]:
    """Folders of entries that are being built, and leftovers."""
    return _named(root, ".")


def _named(root: Path, before: str) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(
        path
        for path in root.iterdir()
        if path.name.startswith(before) and NAME.fullmatch(path.name.removeprefix(before))
    )


def begin(folder: Path, size_bytes: int) -> LockFile:
    """Make the folder of an entry that is to be built; the lock says that its builder lives."""
    folder.mkdir()
    lock = LockFile(folder / USE, create=True)
    try:
        lock.lock()
        (folder / RESERVED).write_text(str(size_bytes), encoding="ascii")
        (folder / FILES).mkdir()
    except BaseException:
        lock.close()
        raise
    return lock


def hold(folder: Path) -> LockFile | None:
    """Take a whole entry into use; None where there is none. The holder closes what it gets."""
    file = folder / USE
    while True:
        try:
            lock = LockFile(file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            lock.share()
            if lock.is_at(file):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()  # it was removed before we had it; another may have come


def take(folder: Path, held: contextlib.ExitStack) -> bool:
    """Whether no living process uses or builds the entry; then none can as long as ``held`` lasts.

    Called within :func:`change`.
    """
    try:
        lock = held.enter_context(LockFile(folder / USE))
    except (FileNotFoundError, NotADirectoryError):
        return True
    return lock.try_lock()


def is_held(folder: Path) -> bool:
    """Whether a living process uses or builds the entry now, which another moment may change."""
    with contextlib.ExitStack() as held:
        return not take(folder, held)


def stamp(lock: LockFile, folder: Path) -> None:
    """Note that the entry in ``folder`` is the one used last.

    Time serves where it moves on. Where it stands still or goes back, the order of uses remains.
    """
    newest = max((last_used(other) for other in whole_folders(folder.parent)), default=0)
    now = max(time.time_ns(), newest + 1)
    # where it cannot be noted, as in a folder that is for reading only, nothing is removed either
    with contextlib.suppress(OSError):
        os.pwrite(lock.descriptor, b"%020d" % now, 0)


def last_used(folder: Path) -> int:
    """Nanoseconds since 1970 of the last use; 0 where that is not known."""
    try:
        return int((folder / USE).read_bytes())
    except (OSError, ValueError):
        return 0


def reserved_bytes(folder: Path) -> int:
    """What a folder counts for in the budget: its files, or all that its builder has asked for."""
    try:
        promised = int((folder / RESERVED).read_bytes())
    except (OSError, ValueError):
        promised = 0
    return max(promised, size_on_disk(folder))


def discard(folder: Path) -> None:
    """Remove an entry, so that a kill in the middle leaves a leftover and never half an entry.

    Called within :func:`change`, for a folder that the caller has taken.
    """
    going = folder if folder.name.startswith(".") else aside(folder)
    if going != folder:
        folder.rename(going)
    if going.is_dir():
        shutil.rmtree(going)
    else:
        going.unlink()


def discard_unheld(folder: Path) -> bool:
    """Remove an entry unless somebody has it; whether it went. Called within :func:`change`.

    It is had alone until it is gone: who waits for a killed builder gets its lock at any moment.
    """
    with contextlib.ExitStack() as held:
        if not take(folder, held):
            return False
        discard(folder)
    return True


def discard_leftovers(root: Path) -> int:
    """Remove what killed processes left; how many there were. Called within :func:`change`."""
    return sum(discard_unheld(folder) for folder in folders_aside(root))
