"""All images of a data set, split as a sweep would split them, under one numbering."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweeper.advance import OnAdvance
from sweeper.cache.shared_cache import Cache
from sweeper.config import Dataset, Digits, KFold, Recipe, TestSet
from sweeper.data.examples import Examples, Source
from sweeper.data.images import kept
from sweeper.data.sources.loading import Inspected, inspect, load
from sweeper.data.stratified import Indices
from sweeper.errors import ConfigError
from sweeper.train.folds import spelled_split, splits_of

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)

SCAN = "decoding every image once, to find broken ones"
DECODE = "decoding images at the size of the recipe"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of one split.

    Attributes:
        split: one of :data:`SPLITS`.
        part: of the listing, from which they are.
        examples: in the size of the recipe where the cache keeps them.
        originals: the same, as they are in the data set.
    """

    split: str
    part: int
    examples: Examples
    originals: Examples


@dataclass(frozen=True, eq=False)
class Collection:
    """Images are numbered through ``sets``, one set after the other.

    Attributes:
        class_names: label ``k`` means ``class_names[k]``.
        sets: train first; with ``validation=kfold`` or ``test`` there is none for validation.
        folds: ``[n]``, in which fold an image validates with ``validation=kfold``; else -1.
        split_text: how many images train, validate and test, in words.
        unsplit: why the data cannot be split as the recipe asks; all of it is train then.
        inspected: what the source and the scan say; None of images that are no files.
    """

    class_names: tuple[str, ...]
    sets: tuple[ImageSet, ...]
    folds: Indices
    split_text: str
    unsplit: tuple[str, ...]
    inspected: Inspected | None
    source: Source

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def labels(self) -> Indices:
        """``[n]``, the given label of each image."""
        return np.concatenate([one.examples.labels for one in self.sets])

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """``[n]``, the split of each image."""
        return np.repeat([one.split for one in self.sets], [len(one.examples) for one in self.sets])

    @cached_property
    def places(self) -> Indices:
        """``[n, 2]``: part of the listing, and position in it."""
        return np.concatenate(
            [
                np.stack([np.full_like(one.examples.indices, one.part), one.examples.indices], 1)
                for one in self.sets
            ]
        )

    @cached_property
    def number_of(self) -> Mapping[tuple[int, int], int]:
        """The number of an image from its place, the reverse of :attr:`places`."""
        return {(part, at): n for n, (part, at) in enumerate(self.places.tolist())}

    def name(self, number: int) -> str:
        """What a person calls an image: its file, or its record."""
        part, position = self.places[number].tolist()
        return self._of_part(part).name(position)

    def identify(self, number: int) -> str:
        """What identifies an image in its source, wherever that lies."""
        part, position = self.places[number].tolist()
        return self._of_part(part).identify(position)

    def label(self, number: int) -> str:
        """The name of the class that an image has."""
        return self.class_names[int(self.labels[number])]

    def originals(self, numbers: Iterable[int]) -> dict[int, NDArray[np.uint8]]:
        """Images ``[height, width, 3]`` as large as they are in the data set, by their numbers."""
        wanted, found, first = sorted(set(numbers)), dict[int, NDArray[np.uint8]](), 0
        for one in self.sets:
            count = len(one.originals)
            mine = np.array([n - first for n in wanted if first <= n < first + count], np.int64)
            chosen = one.originals.select(mine)
            for place, raw in zip(mine.tolist(), chosen.raw(), strict=True):
                found[first + place] = np.asarray(one.originals.decode(raw))
            first += count
        return found

    def _of_part(self, part: int) -> Examples:
        return next(one.originals for one in self.sets if one.part == part)


@contextlib.contextmanager
def opened(recipe: Recipe, cache: Cache, on_advance: OnAdvance) -> Iterator[Collection]:
    """Yield the data set of ``recipe``, its training images decoded as a sweep keeps them.

    Images that cannot be decoded are left out, whatever ``dataset.on_corrupt`` says.

    Raises:
        MissingInput: the data is not there, and cannot be fetched.
        ConfigError: it is not as the recipe describes it.
    """
    dataset = recipe.dataset
    if not isinstance(dataset, Digits):
        dataset = dataset.model_copy(update={"on_corrupt": "skip"})
    inspected = inspect(dataset, lambda done, total: on_advance(SCAN, done, total))
    source, faults = _source(dataset, recipe)

    def decoded(done: int, total: int) -> None:
        on_advance(DECODE, done, total)

    with kept(cache, source.train, recipe.image_size, decoded) as train:
        yield _collection(source, train, recipe, inspected, faults)


def _source(dataset: Dataset, recipe: Recipe) -> tuple[Source, tuple[str, ...]]:
    """The data, and why it cannot be split as the recipe asks: a class is too small for it."""
    whole = load(dataset.model_copy(update={"test_fraction": 0.0}))
    try:
        source = load(dataset)
    except ConfigError as error:
        return whole, error.faults
    try:
        splits_of(source, recipe)
    except ConfigError as error:
        return source, error.faults
    return source, ()


def _collection(
    source: Source,
    train: Examples,
    recipe: Recipe,
    inspected: Inspected | None,
    faults: tuple[str, ...],
) -> Collection:
    images = [(TRAIN, train, source.train)]
    folds: list[Indices] = []
    text = f"{len(source.train):,} images"
    if not faults:
        splits = splits_of(replace(source, train=train), recipe)
        text = spelled_split(source, recipe)
        if isinstance(recipe.validation, KFold):
            folds = [held_out.indices for _, held_out in splits]
        elif not isinstance(recipe.validation, TestSet):
            images = [
                (split, one, _chosen(source.train, one))
                for split, one in zip((TRAIN, VALIDATION), splits[0], strict=True)
            ]
    last = 0 if inspected is None else len(inspected.listing.parts) - 1
    sets = [ImageSet(split, 0, *examples) for split, *examples in images]
    if source.test is not None:
        part = 0 if source.drawn is not None else last
        sets.append(ImageSet(TEST, part, source.test, source.test))
    fold_of = [np.full(len(one.examples), -1) for one in sets]
    for number, members in enumerate(folds):
        fold_of[0][np.isin(train.indices, members)] = number
    return Collection(
        source.class_names,
        tuple(sets),
        np.concatenate(fold_of),
        text,
        faults,
        inspected,
        source,
    )


def _chosen(examples: Examples, some: Examples) -> Examples:
    return examples.select(np.searchsorted(examples.indices, some.indices))
