"""What a scan of the images found, in sentences for the person who is about to train on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.data.examples import Source
from sweeper.data.sources.listing import Listing
from sweeper.data.sources.scan_record import Scan
from sweeper.data.stratified import Indices

_NAMED = 3
"""Images named in one sentence."""

_Image = tuple[int, int]
"""A part of the listing, and a position in it."""


def left_out(listing: Listing, found: Scan) -> list[str]:
    """How many images of each part cannot be decoded and are left out."""
    return [
        f"{_of(part.where, len(broken), len(part.examples))} cannot be decoded and "
        f"{'is' if len(broken) == 1 else 'are'} left out: {_few([one.name for one in broken])}"
        for part, broken in zip(listing.parts, found.found, strict=True)
        if broken
    ]


def faint(listing: Listing, found: Scan) -> list[str]:
    """How many images of each part have next to nothing to see."""
    sentences = []
    for part, flat, dark in zip(listing.parts, found.flat, found.dark, strict=True):
        plain = sorted(set(flat) - set(dark))
        total, name = len(part.examples), part.examples.name
        if dark:
            sentences.append(
                f"warning: {_of(part.where, len(dark), total)} have 16 bits a value and use the "
                "lowest 14 or fewer, as cameras and scanners of 10 to 14 bits do: they are nearly "
                "black in 8 bits; multiply their values to fill 16 bits: "
                f"{_few([name(one) for one in dark])}"
            )
        if plain:
            sentences.append(
                f"warning: {_of(part.where, len(plain), total)} hardly differ from one colour: "
                f"{_few([name(one) for one in plain])}"
            )
    return sentences


def unvalidated(source: Source) -> list[str]:
    """How many classes have no images where the data set says which images validate."""
    if not len(source.validation):
        return []
    validating = np.isin(source.train.indices, source.validation)
    known = set(source.train.labels[validating].tolist())
    absent = [name for label, name in enumerate(source.class_names) if label not in known]
    if not absent:
        return []
    return [
        f"warning: {len(absent):,} of {len(source.class_names):,} classes have no validation "
        f"images, so that val_loss and val_accuracy leave them out: {_few(absent)}"
    ]


@dataclass(frozen=True)
class _Twins:
    """Groups of images that are the same bytes, with what each image of them is for.

    ``totals`` says how many images of all are for each use.
    """

    listing: Listing
    groups: Sequence[Sequence[_Image]]
    labels: Mapping[_Image, int]
    uses: Mapping[_Image, str]
    totals: Mapping[str, int]

    def name(self, image: _Image) -> str:
        return self.listing.parts[image[0]].examples.name(image[1])

    def used(self, group: Sequence[_Image], use: str) -> list[_Image]:
        return [image for image in group if self.uses.get(image) == use]


def twins(listing: Listing, source: Source, found: Scan) -> list[str]:
    """How many images are the same bytes as another: in two classes, in train and test, or twice.

    ``source`` is what was made of ``listing``.
    """
    labels: dict[_Image, int] = {}
    for number, part in enumerate(listing.parts):
        of_part = _among(found.twins, number, part.examples.indices)
        places = np.searchsorted(part.examples.indices, of_part)
        of_places = part.examples.labels[places].tolist()
        labels |= dict(zip([(number, one) for one in of_part.tolist()], of_places, strict=True))
    groups = [[image for image in group if image in labels] for group in found.twins]
    # images that validate and are drawn from train later are train
    train = np.setdiff1d(source.train.indices, source.validation)
    validation = np.intersect1d(source.train.indices, source.validation)
    test = source.train.indices[:0] if source.test is None else source.test.indices
    parts = {
        "train": (0, train),
        "validation": (0, validation),
        "test": (len(listing.parts) - 1, test),
    }
    uses = {
        (number, position): use
        for use, (number, positions) in parts.items()
        for position in _among(found.twins, number, positions).tolist()
    }
    totals = {use: len(positions) for use, (_, positions) in parts.items()}
    same = _Twins(listing, groups, labels, uses, totals)
    pairs = (("test", "train"), ("test", "validation"), ("validation", "train"))
    return [
        *_conflicts(same),
        *(sentence for one, other in pairs for sentence in _shared(same, one, other)),
        *_copies(same, drawn=not len(source.validation)),
    ]


def _conflicts(same: _Twins) -> Iterator[str]:
    found = [group for group in same.groups if len({same.labels[image] for image in group}) > 1]
    if found:
        yield (
            f"warning: {sum(map(len, found)):,} images are in two classes or more with the "
            "same bytes, so one label at least is wrong; keep one of each: "
            f"{_few([' = '.join(same.name(image) for image in group[:2]) for group in found])}"
        )


def _shared(same: _Twins, one: str, other: str) -> Iterator[str]:
    shared = [
        (image, theirs[0])
        for group in same.groups
        if (theirs := same.used(group, other))
        for image in same.used(group, one)
    ]
    if shared:
        total = same.totals[one]
        pairs = [f"{same.name(image)} = {same.name(twin)}" for image, twin in shared]
        yield (
            f"warning: {len(shared):,} of {total:,} {one} images are {other} images too, byte "
            f"for byte, so accuracy on them says nothing of new images; remove them from one "
            f"of the two: {_few(pairs)}"
        )


def _copies(same: _Twins, drawn: bool) -> Iterator[str]:
    copies = [
        image
        for group in same.groups
        for use in ("train", "validation", "test")
        for image in same.used(group, use)[1:]
    ]
    if copies:
        both = "; validation images may be drawn from both" if drawn else ""
        yield (
            f"warning: {len(copies):,} images are copies of another one of the same part{both}: "
            f"{_few([same.name(image) for image in copies])}"
        )


def _among(groups: Sequence[Sequence[_Image]], part: int, positions: Indices) -> Indices:
    """Positions of images of ``groups`` that are in ``part`` and among its ``positions``.

    They alone become objects of Python: twins are few, and images may be millions.
    """
    of_part = [position for group in groups for number, position in group if number == part]
    return np.intersect1d(np.array(of_part, np.int64), positions)


def _of(where: str, count: int, total: int) -> str:
    return f"{count:,} of {total:,} images of {where}"


def _few(names: Sequence[str]) -> str:
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    return ", ".join(shown)
