"""What lies in the cache, whether it is sound, and its removal by hand."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import JsonValue

from sweeper.cache import folders
from sweeper.cache.manifest import Manifest, damaged_files, read_manifest, size_on_disk


class State(StrEnum):
    """What an entry is."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    BUILDING = "being built"
    LEFTOVER = "leftover"


@dataclass(frozen=True)
class Listed:
    """One entry. ``last_used`` and ``built`` are None where they are not known."""

    name: str
    state: State
    size_bytes: int
    in_use: bool
    last_used: datetime | None = None
    built: datetime | None = None
    build_seconds: float = 0.0
    parts: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.name.rpartition("-")[0]


@dataclass(frozen=True)
class Fault:
    """What is wrong with one entry."""

    name: str
    what: str


@dataclass(frozen=True)
class Cleared:
    """What was removed, and what would have been were it not in use."""

    removed: tuple[Listed, ...]
    left: tuple[Listed, ...]


def entries(root: Path) -> list[Listed]:
    """Every entry, the one used last first, then those that are no entries yet or any more.

    Raises:
        OSError: the folder cannot be read.
    """
    if not root.is_dir():
        return []
    with folders.change(root):
        return _entries(root)


def _entries(root: Path) -> list[Listed]:
    by_use = sorted(folders.whole_folders(root), key=folders.last_used, reverse=True)
    return [_listed(folder) for folder in (*by_use, *folders.folders_aside(root))]


def _listed(folder: Path) -> Listed:
    name = folder.name.removeprefix(".")
    in_use = folders.is_held(folder)
    if name != folder.name:
        state = State.BUILDING if in_use else State.LEFTOVER
        return Listed(name, state, size_on_disk(folder), in_use)
    used = folders.last_used(folder)
    last_used = datetime.fromtimestamp(used / 1e9, UTC) if used else None
    manifest = read_manifest(folder) if (folder / folders.USE).is_file() else None
    if manifest is None:
        return Listed(name, State.DAMAGED, size_on_disk(folder), in_use, last_used)
    return Listed(
        name,
        State.WHOLE,
        manifest.size_bytes,
        in_use,
        last_used,
        manifest.built,
        manifest.build_seconds,
        manifest.parts,
    )


def verify(root: Path) -> list[Fault]:
    """Read every file of every entry, and say what is not as it was written.

    Raises:
        OSError: a file cannot be read.
    """
    faults: list[Fault] = []
    for folder in folders.whole_folders(root):
        lock = folders.hold(folder)
        if lock is None:
            if folder.exists():  # else it has gone just now
                faults.append(Fault(folder.name, "its lock file is missing"))
            continue
        with lock:
            manifest = read_manifest(folder)
            if manifest is None:
                faults.append(Fault(folder.name, "its manifest does not fit its files"))
            else:
                faults.extend(_changed(folder, manifest))
    return faults


def _changed(folder: Path, manifest: Manifest) -> list[Fault]:
    return [
        Fault(folder.name, f"the content of {name} has changed since it was written")
        for name in damaged_files(folder, manifest)
    ]


def clear(
    root: Path,
    kind: str | None = None,
    unused_for: timedelta = timedelta(0),
    names: tuple[str, ...] = (),
) -> Cleared:
    """Remove leftovers, and all entries that are of this kind, unused for so long, so named.

    What a living process uses or builds stays.

    Raises:
        OSError: the folder cannot be written.
    """
    if not root.is_dir():
        return Cleared((), ())
    latest = datetime.fromtimestamp(time.time(), UTC) - unused_for
    removed: list[Listed] = []
    left: list[Listed] = []
    with folders.change(root):
        folders.discard_leftovers(root)
        for entry in _entries(root):
            old = not unused_for or entry.last_used is None or entry.last_used <= latest
            if kind not in (None, entry.kind) or (names and entry.name not in names) or not old:
                continue
            folder = root / entry.name
            if entry.state is State.LEFTOVER:
                folder = folders.aside(folder)
            gone = not entry.in_use and folders.discard_unheld(folder)
            (removed if gone else left).append(entry)
    return Cleared(tuple(removed), tuple(left))
