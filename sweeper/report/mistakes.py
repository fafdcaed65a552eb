"""The worst mistakes of a study's winner, as pictures in the study's folder: ``mistakes.json``."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.disk.files import write_aside

_NAME = "mistakes.json"


@dataclass(frozen=True)
class Mistake:
    """One image that was taken for another class.

    Attributes:
        image: what identifies it in its source.
        true: the class that it has.
        said: the one that it was taken for.
        probability: of that class.
        picture: name of the file that shows it.
        heat: of the file that shows where the network looked; empty where there is none.
    """

    image: str
    true: str
    said: str
    probability: float
    picture: str
    heat: str


@dataclass(frozen=True)
class Mistakes:
    """Of one trial of one study, the worst first."""

    study: str
    trial: int
    items: Sequence[Mistake]


def write_mistakes(folder: Path, mistakes: Mistakes) -> None:
    """Write ``mistakes``, whose files are in ``folder`` already."""
    write_aside(folder / _NAME, f"{json.dumps(asdict(mistakes), indent=1)}\n")


def read_mistakes(folder: Path) -> Mistakes | None:
    """What :func:`write_mistakes` wrote; None where it has not, or it cannot be read."""
    try:
        known = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return Mistakes(**{**known, "items": [Mistake(**one) for one in known["items"]]})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
