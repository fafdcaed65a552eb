"""How many images of each class there are, and which were left out: ``classes.json``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.disk.files import write_aside

_NAME = "classes.json"


@dataclass(frozen=True)
class DataCounts:
    """Of the data that the best trial was trained on.

    Attributes:
        data: what it is called.
        class_names: label ``k`` means ``class_names[k]``.
        images: of each class, by split.
        left_out: images that could not be decoded, and why.
    """

    data: str
    class_names: Sequence[str]
    images: Mapping[str, Sequence[int]]
    left_out: Sequence[tuple[str, str]]


def write_counts(folder: Path, counts: DataCounts) -> None:
    """Write ``counts`` aside, then rename."""
    text = f"{json.dumps(asdict(counts), indent=1)}\n"
    write_aside(folder / _NAME, text)


def read_counts(folder: Path) -> DataCounts | None:
    """What :func:`write_counts` wrote; None where it has not, or it cannot be read."""
    try:
        known = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        left_out = [(str(image), str(why)) for image, why in known["left_out"]]
        return DataCounts(**{**known, "left_out": left_out})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
