"""What a scan of images found, and the file in which that is kept for the next one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.disk import files


@dataclass(frozen=True)
class Undecodable:
    """An image at this position of its part, what a person calls it, and what the decoder says."""

    position: int
    name: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Attributes:
        found: the undecodable images of each part.
        flat: positions in each part of images that hardly differ from one colour.
        dark: those of 16 bits a value that use the lowest 14 or fewer.
        twins: groups of images, each a part and a position in it, that are the same bytes.
        notes: sentences for the person.
    """

    found: tuple[tuple[Undecodable, ...], ...]
    flat: tuple[tuple[int, ...], ...]
    dark: tuple[tuple[int, ...], ...]
    twins: tuple[tuple[tuple[int, int], ...], ...]
    notes: tuple[str, ...] = ()


def keep(file: Path, made: Scan, images: Mapping[str, int]) -> None:
    """Write what was found; ``images`` says how many there are in each part, for a person.

    Raises:
        OSError: the file cannot be written.
    """
    content = {
        "images": dict(images),
        "undecodable": [[asdict(one) for one in of_part] for of_part in made.found],
        "flat": made.flat,
        "dark": made.dark,
        "twins": made.twins,
    }
    files.write_aside(file, json.dumps(content, indent=1))


def recall(file: Path) -> Scan | None:
    """What a scan kept, or None where there is nothing that can be read."""
    try:
        content = json.loads(file.read_text())
        return Scan(
            tuple(
                tuple(Undecodable(**one) for one in of_part) for of_part in content["undecodable"]
            ),
            tuple(tuple(of_part) for of_part in content["flat"]),
            tuple(tuple(of_part) for of_part in content["dark"]),
            tuple(tuple((part, place) for part, place in group) for group in content["twins"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
