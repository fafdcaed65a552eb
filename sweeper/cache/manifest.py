"""What a whole entry says of itself, and whether its files agree."""

import json
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from sweeper.cache.key import Key

FILES = "files"
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20


class File(BaseModel):
    """One file of an entry: its size, and the CRC-32 of its content.

    CRC-32 tells damage, not malice. It is the fastest checksum of the standard library: 2.3 GB/s
    on one slow core, where BLAKE2b reaches 0.9.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    crc32: int


class Manifest(BaseModel):
    """Written last into an entry's folder; ``files`` go by their paths in it.

    ``build_seconds`` is what the computation took, without checksums and waiting for the disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    kind: str
    parts: dict[str, JsonValue]
    built: datetime
    build_seconds: float
    files: dict[str, File]

    @property
    def size_bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


def write_manifest(folder: Path, key: Key, build_seconds: float) -> Manifest:
    """Describe what lies in ``folder / FILES``, and see that all of it is on the disk.

    Raises:
        OSError: the disk does not take it.
    """
    files = {
        name: File(bytes=file.stat().st_size, crc32=checksum(file))
        for name, file in _files(folder).items()
    }
    manifest = Manifest(
        kind=key.kind,
        parts=dict(key.parts),
        built=datetime.now(UTC).replace(microsecond=0),
        build_seconds=build_seconds,
        files=files,
    )
    # the json module throughout: it gives back every number exactly as it was in the key
    text = json.dumps(manifest.model_dump(mode="python"), default=datetime.isoformat, indent=1)
    (folder / _MANIFEST).write_text(text, encoding="utf-8")
    for path in (*folder.rglob("*"), folder):
        sync(path)
    return manifest


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a whole entry; None where the entry is damaged as far as sizes tell.

    Raises:
        OSError: the disk does not let it be read.
    """
    try:
        found = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(found)
        if Key(manifest.kind, manifest.parts).name != folder.name:
            return None
        sizes = {name: file.bytes for name, file in manifest.files.items()}
        whole = sizes == {name: file.stat().st_size for name, file in _files(folder).items()}
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, TypeError):
        return None
    except RecursionError:  # a manifest of nothing but brackets
        return None
    return manifest if whole else None


def stated_parts(folder: Path) -> dict[str, JsonValue] | None:
    """The key that the manifest of ``folder`` states, not compared with anything; None without."""
    try:
        parts = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return parts if isinstance(parts, dict) else None


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Files whose content is not what was written. It reads all of them."""
    return [
        name
        for name, file in manifest.files.items()
        if checksum(folder / FILES / name) != file.crc32
    ]


def size_on_disk(folder: Path) -> int:
    """Bytes of the files of an entry, whole or not."""
    return sum(file.stat().st_size for file in _files(folder).values())


def sync(path: Path) -> None:
    """Wait until what was written to a file or folder has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> dict[str, Path]:
    top = folder / FILES
    found = sorted(file for file in top.rglob("*") if file.is_file())
    return {file.relative_to(top).as_posix(): file for file in found}


def checksum(file: Path) -> int:
    """CRC-32 of the content of ``file``.

    Raises:
        OSError: it cannot be read.
    """
    value = 0
    with file.open("rb", buffering=0) as content:
        while chunk := content.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value
