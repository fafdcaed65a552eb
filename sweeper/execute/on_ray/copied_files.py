"""Files of a study that two machines have: what changes on one is written on the other, in pieces.

No disk is shared. A file that only grows is continued; any other is sent whole, written aside and
renamed, so that nobody ever reads half of it.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sweeper.disk.files import aside_of

_GROWING = (".jsonl", ".log")
"""Files that are appended to and never changed otherwise."""

_CHECKPOINTS = "checkpoints"
"""Folder whose files are for a later attempt only: they may be some epochs behind."""

_SHARE = 0.05
"""Of a trial's time, that sending checkpoints may take."""

_PIECE = 16 << 20
"""Bytes. Ray holds each message in memory, on both machines."""


@dataclass(frozen=True)
class Piece:
    """Part of a file; ``path`` is below the folder of the study, ``last`` ends the file."""

    path: str
    offset: int
    data: bytes
    last: bool


@dataclass(frozen=True)
class Gone:
    """A file that was removed."""

    path: str


Change = Piece | Gone


class ChangedFiles:
    """What has changed in files and folders below ``root`` since the last look.

    Args:
        root: folder of the study.
        watched: files and folders below it, which need not exist yet.
    """

    def __init__(self, root: Path, watched: Sequence[Path]) -> None:
        self._root = root
        self._watched = watched
        self._known: dict[Path, os.stat_result] = {}
        self._next_checkpoint = 0.0

    def see(self) -> None:
        """Take what is there now for known."""
        self._known = self._look()

    def changes(self, final: bool = False) -> Iterator[Change]:
        """Pieces of all files that are new or have changed, the oldest change first.

        Checkpoints wait where sending them takes too much of the time, and are not sent at the
        end (``final``): work that has ended needs none.
        """
        there = self._look()
        for path in self._known.keys() - there.keys():
            del self._known[path]
            yield Gone(self._name(path))
        for path, now in sorted(there.items(), key=lambda item: item[1].st_mtime_ns):
            before = self._known.get(path)
            if before is not None and _version(before) == _version(now):
                continue
            if path.parent.name == _CHECKPOINTS:
                if final or time.monotonic() < self._next_checkpoint:
                    continue
                began = time.monotonic()
                yield from self._pieces(path, 0)
                took = time.monotonic() - began
                self._next_checkpoint = began + took / _SHARE
            else:
                grows = path.suffix in _GROWING and before is not None
                known = before.st_size if before is not None else 0
                yield from self._pieces(path, known if grows and known <= now.st_size else 0)
            self._known[path] = now

    def _look(self) -> dict[Path, os.stat_result]:
        found: dict[Path, os.stat_result] = {}
        for watched in self._watched:
            inside = watched.rglob("*") if watched.is_dir() else [watched]
            for path in inside:
                with contextlib.suppress(FileNotFoundError):
                    # what begins with a dot is being written aside, unless Hydra made it
                    if path.is_file() and (
                        not path.name.startswith(".") or path.parent.name == ".hydra"
                    ):
                        found[path] = path.stat()
        return found

    def _pieces(self, path: Path, offset: int) -> Iterator[Piece]:
        name = self._name(path)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(_PIECE)
                while True:
                    following = file.read(_PIECE)
                    yield Piece(name, offset, data, last=not following)
                    if not following:
                        return
                    offset, data = offset + len(data), following
        except FileNotFoundError:  # since the look
            return

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _version(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


class CopiedFiles:
    """Writes below ``root`` what :class:`ChangedFiles` says of another machine's."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, tuple[BinaryIO, Path]] = {}

    def take(self, change: Change) -> None:
        """Write or remove a file.

        Raises:
            ValueError: its path leads out of the folder.
            OSError: it cannot be written.
        """
        name = PurePosixPath(change.path)
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"a file outside of the study's folder: {change.path}")
        path = self._root / name
        if isinstance(change, Gone):
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if change.path not in self._open and change.offset:
            self._continue(path, change)
            return
        file, aside = self._open.get(change.path) or self._begin(path, change.path)
        file.write(change.data)
        if change.last:
            del self._open[change.path]
            file.close()
            aside.replace(path)

    def close(self) -> None:
        """Forget files whose last piece has not come."""
        for file, aside in self._open.values():
            file.close()
            aside.unlink(missing_ok=True)
        self._open.clear()

    def _begin(self, path: Path, name: str) -> tuple[BinaryIO, Path]:
        aside = aside_of(path)
        self._open[name] = aside.open("xb"), aside
        return self._open[name]

    def _continue(self, path: Path, piece: Piece) -> None:
        with path.open("r+b" if path.exists() else "wb") as file:
            file.truncate(piece.offset)
            file.seek(piece.offset)
            file.write(piece.data)
