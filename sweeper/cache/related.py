"""Entries that differ from a missing one in few parts of their keys, and so may have some of it."""

import contextlib
import json
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from sweeper.cache import folders
from sweeper.cache.key import Key
from sweeper.cache.manifest import FILES, Manifest, checksum, read_manifest, stated_parts


@dataclass(frozen=True)
class Related:
    """A whole entry that is in use until the next one is asked for."""

    name: str
    files: Path
    manifest: Manifest

    def is_intact(self, file: str) -> bool:
        """Whether ``file`` is there as it was written; it is read to see that.

        What is copied from it gets a checksum of its own, which would hide the damage for good.

        Raises:
            OSError: the file cannot be read.
        """
        known = self.manifest.files.get(file)
        return known is not None and checksum(self.files / file) == known.crc32


def related(root: Path, key: Key, apart: Collection[str]) -> Generator[Related]:
    """Whole entries whose keys are like ``key`` but for the parts ``apart``, the last used first.

    An entry that cannot be read, or is evicted meanwhile, is passed over.
    """
    wanted = _without(key.parts, apart)
    alike = [
        folder
        for folder in folders.whole_folders(root)
        if folder.name.startswith(f"{key.kind}-")
        and folder.name != key.name
        and _without(stated_parts(folder), apart) == wanted
    ]
    for folder in sorted(alike, key=folders.last_used, reverse=True):
        with contextlib.ExitStack() as held:
            try:
                if (lock := folders.hold(folder)) is None:
                    continue
                held.enter_context(lock)
                manifest = read_manifest(folder)
            except OSError:
                continue
            if manifest is not None:
                yield Related(folder.name, folder / FILES, manifest)


def _without(parts: Mapping[str, JsonValue] | None, apart: Collection[str]) -> str | None:
    """The other parts as text, in which 1, 1.0 and True are three values."""
    if parts is None:
        return None
    rest = {name: value for name, value in parts.items() if name not in apart}
    return json.dumps(rest, sort_keys=True)
