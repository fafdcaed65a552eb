"""The store: whole entries are read by any number of processes, missing ones built by one.

Who finds no entry makes a folder aside and locks it; others wait for that lock. The system takes
the lock back when its holder dies, so the next one continues at once.
"""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sweeper.cache import disk, folders
from sweeper.cache.contents import Cleared, Fault, Listed, clear, entries, verify
from sweeper.cache.disk import NotKept
from sweeper.cache.entry_locks import LockFile
from sweeper.cache.eviction import make_room
from sweeper.cache.key import Key
from sweeper.cache.manifest import (
    FILES,
    Manifest,
    read_manifest,
    size_on_disk,
    sync,
    write_manifest,
)
from sweeper.cache.related import Related, related

log = logging.getLogger(__name__)

Build = Callable[[Path], None]


@dataclass(frozen=True)
class Entry:
    """Files that stay and never change as long as the context lasts that yielded them.

    ``build_seconds`` is what their computation took, here or wherever they were built: what the
    cache saves where ``built_here`` is False. ``waited_seconds`` went by until others had built it,
    or had released the store.
    """

    folder: Path
    size_bytes: int
    built_here: bool
    build_seconds: float
    waited_seconds: float


@dataclass(frozen=True)
class Cache:
    """Entries under ``folder``, which together take at most ``budget_bytes``."""

    folder: Path
    budget_bytes: int

    @contextlib.contextmanager
    def open(self, key: Key, size_bytes: int, build: Build) -> Iterator[Entry | None]:
        """Yield the entry of ``key``, built first where it is missing; None where it is not kept.

        ``build`` writes at most ``size_bytes`` of files into the folder that it is given. It runs
        in one process at a time; where it writes through a memory map it must allocate the file
        first (``os.posix_fallocate``), as the system kills who maps more than the disk has.
        None means no room within the budget, or a disk that takes no more; a line of the log says
        which. Raised is what ``build`` raises about anything else.
        """
        held: tuple[Entry, LockFile] | None = None
        try:
            held = self._hold_or_build(key, size_bytes, build)
        except NotKept as reason:
            log.warning("%s is not kept in the cache: %s", key.name, reason)
        try:
            yield held[0] if held else None
        finally:
            if held:
                held[1].close()

    def has(self, key: Key) -> bool:
        """Whether the entry of ``key`` is there now, without taking it into use."""
        try:
            return read_manifest(self.folder / key.name) is not None
        except OSError:
            return False

    def related(self, key: Key, apart: Collection[str]) -> Generator[Related]:
        """Entries like ``key`` but for some parts, each in use in turn; see :func:`related`."""
        return related(self.folder, key, apart)

    def entries(self) -> list[Listed]:
        """Every entry, the one used last first."""
        return entries(self.folder)

    def verify(self) -> list[Fault]:
        """Read every file of every entry, and say which are damaged."""
        return verify(self.folder)

    def clear(
        self,
        kind: str | None = None,
        unused_for: timedelta = timedelta(0),
        names: tuple[str, ...] = (),
    ) -> Cleared:
        """Remove entries (of one kind, unused for so long, of these names); see :func:`clear`."""
        return clear(self.folder, kind, unused_for, names)

    def _hold_or_build(self, key: Key, size_bytes: int, build: Build) -> tuple[Entry, LockFile]:
        began = time.perf_counter()
        reported = False
        while True:
            with disk.within(self.folder):
                if found := self._whole(key):
                    manifest, lock = found
                    waited = time.perf_counter() - began
                    return self._entry(key, manifest, waited, built_here=False), lock
                lock, builds = self._claim(key, size_bytes)
            waited = time.perf_counter() - began
            if builds:
                manifest = self._build(key, lock, build)
                return self._entry(key, manifest, waited, built_here=True), lock
            with lock, disk.within(self.folder):
                if not (reported or lock.try_share()):
                    log.info("waiting for another process, which builds %s", key.name)
                    reported = True
                lock.share()

    def _entry(self, key: Key, manifest: Manifest, waited: float, *, built_here: bool) -> Entry:
        files = self.folder / key.name / FILES
        return Entry(files, manifest.size_bytes, built_here, manifest.build_seconds, waited)

    def _whole(self, key: Key) -> tuple[Manifest, LockFile] | None:
        """Take the entry into use, if there is one and it is whole."""
        folder = self.folder / key.name
        lock = folders.hold(folder)
        if lock is None:
            return None
        with contextlib.ExitStack() as closing:
            closing.enter_context(lock)
            manifest = read_manifest(folder)
            if manifest is None:
                return None
            folders.stamp(lock, folder)
            closing.pop_all()
            return manifest, lock

    def _claim(self, key: Key, size_bytes: int) -> tuple[LockFile, bool]:
        """The lock on the entry to be, and whether it is ours to build or another's to wait for."""
        folder = self.folder / key.name
        aside = folders.aside(folder)
        with folders.change(self.folder):
            if found := self._whole(key):  # it has come since it was looked for
                return found[1], False
            if aside.exists() and not folders.discard_unheld(aside):
                return LockFile(aside / folders.USE), False
            if folder.exists():
                self._discard_damaged(folder)
            make_room(self.folder, size_bytes, self.budget_bytes)
            try:
                return folders.begin(aside, size_bytes), True
            except OSError:
                shutil.rmtree(aside, ignore_errors=True)
                raise

    def _discard_damaged(self, folder: Path) -> None:
        if not folders.discard_unheld(folder):
            raise NotKept(
                f"the entry in {folder} is damaged, and in use by a running process; "
                "it is built again when that has ended"
            )
        log.warning("%s was damaged, and is built again", folder)

    def _build(self, key: Key, lock: LockFile, build: Build) -> Manifest:
        """Build the entry aside, and make it whole in one step. ``lock`` is then held shared."""
        aside = folders.aside(self.folder / key.name)
        try:
            began = time.perf_counter()
            try:
                build(aside / FILES)
            except OSError as error:
                reason = disk.refusal(error, aside)
                if reason is None:
                    raise
                raise NotKept(f"{reason}; {disk.advice(self.folder)}") from error
            seconds = time.perf_counter() - began
            with disk.within(self.folder):
                return self._make_whole(key, lock, seconds)
        except BaseException:
            # what cannot be removed now is a leftover as soon as the lock is gone
            with contextlib.suppress(OSError), folders.change(self.folder):
                folders.discard(aside)
            lock.close()
            raise

    def _make_whole(self, key: Key, lock: LockFile, seconds: float) -> Manifest:
        folder = self.folder / key.name
        aside = folders.aside(folder)
        manifest = write_manifest(aside, key, seconds)
        with folders.change(self.folder):
            # more may have been written than was asked for
            make_room(self.folder, size_on_disk(aside), self.budget_bytes, own=aside)
            (aside / folders.RESERVED).unlink()
            folders.stamp(lock, folder)
            aside.rename(folder)
            sync(self.folder)
            lock.share()
        return manifest
