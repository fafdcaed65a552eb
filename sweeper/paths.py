"""Paths of the package and of the machine's cache, and names that are safe in any folder."""

import hashlib
import os
import re
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff/\\:*?\"<>|%#${}`]+")
"""What parts a path, is not taken by all file systems, or means something in addresses."""
_LONGEST_NAME = 150
"""Bytes; file systems take 255, and some files have a name made of another one's."""


def conf_dir() -> Path:
    """Folder of the shipped recipes: inside the wheel, or beside the package in a checkout."""
    shipped = PACKAGE / "conf"
    return shipped if shipped.is_dir() else PACKAGE.parent / "conf"


def file_name(text: str) -> str:
    """``text`` as the name of one file or folder, which lies where it is put.

    Another text has another name. One that is a good name stays as it is.

    >>> file_name("dogs"), file_name("/Users/me/dogs")
    ('dogs', 'Users-me-dogs-ef8294aa')
    """
    plain = _UNSAFE.sub("-", text)
    if plain == text and text.strip(". ") and len(text.encode()) <= _LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    shown = plain.encode(errors="ignore")[: _LONGEST_NAME - 9].decode(errors="ignore").strip("-. ")
    return "-".join(filter(None, (shown, digest)))


def cache_dir() -> Path:
    """Folder of what is found once and costs time only when it is lost."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the specification of that variable has relative paths ignored
    return (base if base.is_absolute() else Path.home() / ".cache") / "sweeper"


def scan_file(fingerprint: str) -> Path:
    """What a scan found of the images that ``fingerprint`` stands for."""
    return cache_dir() / "scans" / f"{fingerprint}.json"


def crash_log(folder: Path | None = None) -> Path:
    """A file for the traceback of this process, in the cache unless in ``folder``."""
    name = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{os.getpid()}.log"
    return (folder or cache_dir() / "logs") / f"sweeper-{name}"


def entries_dir() -> Path:
    """Folder of the cache that all trials of the machine share."""
    return cache_dir() / "entries"


def xla_dir() -> Path:
    """Folder of what XLA compiled, shared by all trials of the machine."""
    return cache_dir() / "xla"


def shown_path(path: Path) -> Path:
    """``path`` as a person in this folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
