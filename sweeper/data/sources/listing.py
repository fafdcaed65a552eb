"""What a data set says of itself before an image is decoded: files or records, and their labels."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from sweeper.config import nearest
from sweeper.data.content_hash import hashed_files
from sweeper.data.examples import Drawn, Examples, Source, class_counts, no_images
from sweeper.data.image_reading.decoding import Decoder
from sweeper.data.sources.file_paths import Paths
from sweeper.data.sources.naming import alike, printable
from sweeper.data.splits import split_test, subset
from sweeper.data.stratified import Indices
from sweeper.errors import ConfigError

SHOWN = 10
"""Faults of one kind in one message."""


@dataclass(frozen=True)
class Part:
    """Train or test, as the source has it.

    Attributes:
        where: what a person calls it: ``/data/photos/train``, ``'train' of cifar10``.
        examples: all of it.
        files: what its images are read from, in reading order.
        encoded: from a raw element of ``examples`` to the bytes that ``decoder`` decodes.
        decoder: of its images.
        feature: which image of a record, where records may have several.
    """

    where: str
    examples: Examples
    files: Sequence[str]
    encoded: Callable[[Any], tf.Tensor]
    decoder: Decoder
    feature: str = ""


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        class_names: label ``k`` means ``class_names[k]``.
        parts: train and test, or all images, of which a share is to serve as test.
        validation: positions in the first part of the images that the source gives to validate by;
            empty where it gives none.
        notes: sentences for the person: what is no fault, but should be known.
    """

    class_names: tuple[str, ...]
    parts: tuple[Part, ...]
    validation: Indices = field(default_factory=no_images)
    notes: tuple[str, ...] = ()

    def without(self, positions: Sequence[Collection[int]]) -> Self:
        """Leave out the images at these positions of each part.

        Raises:
            ConfigError: a class would have no image left in a part.
        """
        faults, parts = [], []
        for part, left_out in zip(self.parts, positions, strict=True):
            whole = part.examples
            kept = whole.select(np.flatnonzero(~np.isin(whole.indices, list(left_out))))
            before = class_counts(whole.labels, len(self.class_names))
            after = class_counts(kept.labels, len(self.class_names))
            faults += [
                f"{part.where} has no image of class '{self.class_names[label]}' left: "
                f"none of its {before[label]} can be decoded; replace them, or remove the class"
                for label in np.flatnonzero((before > 0) & (after == 0))
            ]
            parts.append(replace(part, examples=kept))
        if faults:
            raise ConfigError(shortened(faults, "such classes"))
        return replace(self, parts=tuple(parts))

    def fraction(self, fraction: float, seed: int) -> Self:
        """This share of each part, and of the given validation images, stratified."""
        if fraction == 1:
            return self
        parts = []
        for part in self.parts:
            validates = np.isin(part.examples.indices, self.validation)
            kept = [
                subset(part.examples.select(np.flatnonzero(chosen)), fraction, seed).indices
                for chosen in (~validates, validates)
                if chosen.any()
            ]
            chosen = np.isin(part.examples.indices, np.concatenate(kept))
            parts.append(replace(part, examples=part.examples.select(np.flatnonzero(chosen))))
        return replace(self, parts=tuple(parts))

    def source(self, test_fraction: float, split_seed: int) -> Source:
        """Train and test; where there is one part only, test is drawn from it, stratified.

        Images that are given to validate by stay with train. There is no test where
        ``test_fraction`` is 0.

        Raises:
            ConfigError: test is to be drawn, and a class has a single image.
        """
        train, *given = [part.examples for part in self.parts]
        if given or not test_fraction:
            test = given[0] if given else None
            return Source(self.class_names, train, test, self.validation)
        trains = np.flatnonzero(~np.isin(train.indices, self.validation))
        _, test = split_test(train.select(trains), test_fraction, split_seed)
        rest = train.select(np.flatnonzero(~np.isin(train.indices, test.indices)))
        drawn = Drawn(test, test_fraction)
        return Source(self.class_names, rest, test, self.validation, drawn)

    def alike(self) -> list[str]:
        """A warning for each group of classes whose names a person would take for one."""
        counts = sum(
            (class_counts(part.examples.labels, len(self.class_names)) for part in self.parts),
            np.zeros(len(self.class_names), np.int64),
        )
        images = dict(zip(self.class_names, counts, strict=True))
        warnings = [
            "warning: "
            + " and ".join(f"'{name}' ({images[name]:,} images)" for name in group)
            + f" of {self.parts[0].where} are {len(group)} classes, whose names differ in case, "
            "blanks or digits only; if they are one, write them alike"
            for group in alike(self.class_names)
        ]
        return shortened(warnings, "such groups of classes")


def image_files(
    where: str,
    root: Path,
    found: Iterable[str],
    labels: Indices,
    class_names: tuple[str, ...],
    max_pixels: int,
) -> Part:
    """A part whose images are the files ``found`` below ``root``; ``labels`` has one for each."""
    paths = Paths(root, found)
    decoder = Decoder(max_pixels)
    examples = Examples(
        labels=labels,
        indices=np.arange(len(paths)),
        read=None,
        decode=lambda path: decoder(tf.io.read_file(path)),
        size=None,
        name=lambda position: printable(paths[position]),
        identify=lambda position: printable(paths[position].removeprefix(f"{root}{os.sep}")),
        class_names=class_names,
        elements=paths.encoded,
        content=lambda: files_content(root.name, root, paths, decoder.key),
        hashes=lambda indices: hashed_files(
            tf.data.Dataset.from_tensor_slices(paths.encoded(indices)),
            f"{decoder.key}, of any size",
        ),
    )
    return Part(where, examples, paths, tf.io.read_file, decoder)


def files_content(name: str, root: Path, paths: Iterable[str], *more: str) -> str:
    """``name`` and a hash that is another one whenever one of the files may have changed.

    Paths below ``root``, sizes and times tell: those of the content and of the file itself (ctime),
    which nobody can set, so that another file as large and as old gives itself away. A folder that
    is moved keeps its hash. ``more`` is what else decides, the key of the decoder for example.

    Raises:
        OSError: a file is out of reach.
    """
    seen = hashlib.blake2b(digest_size=8)
    for word in more:
        seen.update(f"\0{word}".encode())
    above = f"{root}{os.sep}"
    for path in paths:
        status = Path(path).stat()
        times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
        seen.update(os.fsencode(f"\0{path.removeprefix(above)}\0{status.st_size}\0{times}"))
    return f"{name} {seen.hexdigest()}"


def unequal_classes(parts: Sequence[tuple[str, Collection[str]]]) -> list[str]:
    """A sentence for each class that one of two parts, by place and names, has and the other not.

    A class in test that train lacks cannot be learnt; one in train that test lacks is not tested.
    """
    return [
        fault
        for (have, names), (lack, others) in (parts, tuple(reversed(parts)))
        for fault in shortened(
            [
                f"{have} has a class '{name}' that {lack} lacks"
                f"{nearest(name, [other for other in others if other not in names])}"
                for name in names
                if name not in others
            ],
            f"classes that {lack} lacks",
        )
    ]


def shortened(sentences: Sequence[str], rest: str) -> list[str]:
    """The first few, and how many more ``rest`` there are."""
    shown = list(sentences[:SHOWN])
    if len(sentences) > SHOWN:
        shown.append(f"and {len(sentences) - SHOWN:,} more {rest}")
    return shown
