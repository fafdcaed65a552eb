"""What kinds of files the images are: formats, sizes, channels, orientation."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.advance import OnAdvance
from sweeper.data.image_reading.headers import UPRIGHT, Header, read_header
from sweeper.data.sources.listing import Part
from sweeper.data_doctor.collection import Collection

HEADERS = "reading the header of every image"
_LONG = 2.0
"""Longer side by shorter side from which resizing to a square changes shapes much."""
_EVERY = 256


@dataclass(frozen=True)
class Spread:
    """Of one number over all images."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Properties:
    """Of all images whose header can be read.

    Attributes:
        formats: images of each kind of file.
        channels: images by what a pixel has.
        orientations: images that EXIF turns or mirrors, by its number.
        width: in pixels, as shown.
        height: the same.
        aspect: width by height.
        long: images of which one side is more than twice the other.
        small: images with a side shorter than the recipe's image size, which are made larger.
        unread: images whose header says nothing that is known here.
    """

    formats: Mapping[str, int]
    channels: Mapping[str, int]
    orientations: Mapping[int, int]
    width: Spread
    height: Spread
    aspect: Spread
    long: int
    small: int
    unread: int


def properties_of(
    collection: Collection, image_size: int, on_advance: OnAdvance
) -> Properties | None:
    """Read the headers; None where not one can be read."""
    found: list[Header] = []
    total = len(collection)
    for done, header in enumerate(_headers(collection), 1):
        found += [] if header is None else [header]
        if done % _EVERY == 0 or done == total:
            on_advance(HEADERS, done, total)
    if not found:
        return None
    width = np.array([one.width for one in found], np.float64)
    height = np.array([one.height for one in found], np.float64)
    turned = Counter(one.orientation for one in found if one.orientation != UPRIGHT)
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    return Properties(
        dict(Counter(one.kind for one in found).most_common()),
        dict(Counter(one.channels for one in found).most_common()),
        dict(sorted(turned.items())),
        _spread(width),
        _spread(height),
        _spread(width / height),
        int((longer > _LONG * shorter).sum()),
        int((shorter < image_size).sum()),
        total - len(found),
    )


def _spread(values: "np.typing.NDArray[np.float64]") -> Spread:
    return Spread(float(values.min()), float(np.median(values)), float(values.max()))


def _headers(collection: Collection) -> Iterator[Header | None]:
    for one in collection.sets:
        examples = one.originals
        if collection.inspected is None:
            height, width = examples.size or (0, 0)
            yield from [Header("in memory", width, height, "grey")] * len(examples)
            continue
        part: Part = collection.inspected.listing.parts[one.part]
        if part.feature:  # an image of a record
            for raw in examples.raw():
                yield read_header(bytes(part.encoded(raw).numpy()))
        else:
            for position in examples.indices.tolist():
                yield read_header(Path(part.files[position]))
