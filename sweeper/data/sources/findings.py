"""What a scan of the images found, in sentences for the person who is about to train on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.data.examples import Source
from sweeper.data.sources.listing import Listing
from sweeper.data.sources.scan import Scan

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
    """Groups of images that are the same bytes, with what each image is for."""

    listing: Listing
    groups: Sequence[Sequence[_Image]]
    labels: Mapping[_Image, int]
    uses: Mapping[_Image, str]

    def name(self, image: _Image) -> str:
        return self.listing.parts[image[0]].examples.name(image[1])

    def used(self, group: Sequence[_Image], use: str) -> list[_Image]:
        return [image for image in group if self.uses.get(image) == use]


def twins(listing: Listing, source: Source, found: Scan) -> list[str]:
    """How many images are the same bytes as another: in two classes, in train and test, or twice.

    ``source`` is what was made of ``listing``.
    """
    labels = {
        (number, position): label
        for number, part in enumerate(listing.parts)
        for position, label in zip(
            part.examples.indices.tolist(), part.examples.labels.tolist(), strict=True
        )
    }
    groups = [[image for image in group if image in labels] for group in found.twins]
    same = _Twins(listing, groups, labels, _uses(source, len(listing.parts)))
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
        total = sum(use == one for use in same.uses.values())
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


def _uses(source: Source, parts: int) -> dict[_Image, str]:
    """What each image is for; validation images that are drawn from train later are train."""
    given = set(source.validation.tolist())
    uses = {
        (0, position): "validation" if position in given else "train"
        for position in source.train.indices.tolist()
    }
    if source.test is not None:
        uses |= {(parts - 1, position): "test" for position in source.test.indices.tolist()}
    return uses


def _of(where: str, count: int, total: int) -> str:
    return f"{count:,} of {total:,} images of {where}"


def _few(names: Sequence[str]) -> str:
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    return ", ".join(shown)
