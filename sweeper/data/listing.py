"""What a data set says of itself before an image is decoded: files or records, and their labels."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import tensorflow as tf

from sweeper.config import nearest
from sweeper.data.examples import Examples, Source, class_counts, split_test
from sweeper.errors import ConfigError

SHOWN = 10
"""Faults of one kind in one message."""

VALIDATION = frozenset({"val", "valid", "validation"})
"""What a split is called that counts as train here: validation images are drawn from train."""

SPLITS = frozenset({"train", "test"}) | VALIDATION


@dataclass(frozen=True)
class Part:
    """Train or test, as the source has it.

    Attributes:
        where: what a person calls it: ``/data/photos/train``, ``'train' of cifar10``.
        examples: all of it.
        files: what its images are read from, in reading order.
        feature: which image of a record, where records may have several.
    """

    where: str
    examples: Examples
    files: Sequence[str]
    feature: str = ""


@dataclass(frozen=True)
class Listing:
    """``parts`` are train and test, or all images, of which a share is to serve as test.

    ``notes`` are sentences for the person: what is no fault, but should be known.
    """

    class_names: tuple[str, ...]
    parts: tuple[Part, ...]
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

    def source(self, test_fraction: float, split_seed: int) -> Source:
        """Train and test; where there is one part only, test is drawn from it, stratified.

        Raises:
            ConfigError: test is to be drawn, and a class has a single image.
        """
        examples = [part.examples for part in self.parts]
        if len(examples) == 1:
            examples = list(split_test(examples[0], test_fraction, split_seed))
        return Source(self.class_names, *examples)


def image_files(
    where: str,
    root: Path,
    paths: Sequence[str],
    labels: Iterable[int],
    class_names: tuple[str, ...],
) -> Part:
    """A part whose images are files below ``root``; ``labels`` has one for each of ``paths``."""
    array = np.array(paths, dtype=np.str_)
    examples = Examples(
        labels=np.array(list(labels), dtype=np.int64),
        indices=np.arange(len(paths)),
        read=lambda indices: tf.data.Dataset.from_tensor_slices(array[indices]),
        decode=lambda path: decode_image(tf.io.read_file(path)),
        size=None,
        name=lambda position: paths[position],
        class_names=class_names,
        content=lambda: files_content(root.name, root, paths),
    )
    return Part(where, examples, paths)


def files_content(name: str, root: Path, paths: Iterable[str], *more: str) -> str:
    """``name`` and a hash that is another one whenever :func:`decode_image` may see other bytes.

    Paths below ``root``, sizes and times tell: those of the content and of the file itself (ctime),
    which nobody can set, so that another file as large and as old gives itself away. A folder that
    is moved keeps its hash. ``more`` is what else decides.

    Raises:
        OSError: a file is out of reach.
    """
    seen = hashlib.blake2b(_DECODER.encode(), digest_size=8)
    for word in more:
        seen.update(f"\0{word}".encode())
    above = f"{root}{os.sep}"
    for path in paths:
        status = Path(path).stat()
        times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
        seen.update(os.fsencode(f"\0{path.removeprefix(above)}\0{status.st_size}\0{times}"))
    return f"{name} {seen.hexdigest()}"


_DECODER = "decode_image, 3 channels, first picture"
"""What :func:`decode_image` does: other words for it make other keys of what is kept."""


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """``[height, width, 3]`` uint8: grey repeated, palettes looked up, 16 bits cut to 8.

    Transparency is dropped, not blended, and the first picture of an animation stands for it.
    """
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def why_not(kind: Literal["file", "folder"], path: Path) -> str | None:
    """What keeps ``path`` from being one: it is not there, not that, or out of reach."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"there is no {kind} {path}"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    right = stat.S_ISDIR(mode) if kind == "folder" else stat.S_ISREG(mode)
    return None if right else f"{path} is not a {kind}"


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
