"""Names that people give: of files, of splits, and of classes that look alike."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

Role = Literal["train", "validation", "test"]

_ROLES: Mapping[str, Role] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
_ROLE = re.compile(rf"({'|'.join(_ROLES)})(data|dataset|set|split|images|imgs|pictures|photos)?")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


def role_of(name: str) -> Role | None:
    """What images of a folder or a split of this name are for: ``Training_Set`` is train."""
    found = _ROLE.fullmatch(re.sub(r"[\W_]", "", name.casefold()))
    return _ROLES[found[1]] if found else None


def composed(name: str) -> str:
    """``name`` in the composed Unicode form (NFC); macOS writes file names in the other one."""
    return unicodedata.normalize("NFC", name)


def printable(path: object) -> str:
    """A name for a message: bytes that are no UTF-8, and control characters, as escapes."""
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():  # nearly all are, and there may be a million
        return text
    return "".join(c if c.isprintable() or c == "\u3000" else ascii(c)[1:-1] for c in text)


class StoredNames:
    """Finds files whose names a table or a person writes otherwise; each folder is read once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, path: Path) -> Path:
        """``path`` as it is stored: in another Unicode form, or ``\\`` for ``/``; else as it is."""
        if self._exists(path):
            return path
        parts = [part for one in path.parts for part in (one.split("\\") if "\\" in one else [one])]
        found = Path(parts[0])
        for part in parts[1:]:
            below = found / part
            found = below if self._exists(below) else found / self._stored(found, part)
        return found if self._exists(found) else path

    def hint(self, path: Path) -> str:
        """``; there is 'Cat.JPG'`` where a file beside ``path`` differs in case only."""
        if self._exists(path):
            return ""
        wanted = composed(path.name).casefold()
        names = self._of(path.parent).values()
        near = [name for name in names if composed(name).casefold() == wanted]
        return f"; there is '{printable(near[0])}'" if near else ""

    def _stored(self, folder: Path, name: str) -> str:
        return self._of(folder).get(composed(name), name)

    def _of(self, folder: Path) -> dict[str, str]:
        if folder not in self._names:
            try:
                self._names[folder] = {composed(one.name): one.name for one in folder.iterdir()}
            except (OSError, ValueError):
                self._names[folder] = {}
        return self._names[folder]

    @staticmethod
    def _exists(path: Path) -> bool:
        try:
            return path.exists()
        except (OSError, ValueError):
            return False


def alike(names: Sequence[str]) -> list[list[str]]:
    """Groups of names that a person would take for one.

    They differ in case, blanks, invisible characters or width only, or are equal as numbers.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_plain(name)].append(name)
    return [group for plain, group in groups.items() if plain and len(group) > 1]


def _plain(name: str) -> str:
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).casefold().strip()
    if _NUMBER.fullmatch(text):
        digits = f"{Decimal(text) or 0:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return " ".join(re.sub(r"[\s_-]+", " ", text).split())
