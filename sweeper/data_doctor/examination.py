"""Everything that the data doctor finds out about the data set of a recipe, one after the other."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.advance import OnAdvance
from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.sources.findings import unvalidated
from sweeper.data_doctor.class_sizes import ClassSize, class_sizes, too_small
from sweeper.data_doctor.collection import SPLITS, Collection, opened
from sweeper.data_doctor.copies import Copies, Pair, find_copies
from sweeper.data_doctor.image_features import features_of
from sweeper.data_doctor.image_properties import Properties, properties_of
from sweeper.data_doctor.label_issues import LabelIssues, judge_labels
from sweeper.data_doctor.out_of_fold import HEAD, out_of_fold
from sweeper.data_doctor.pixel_marks import marks_of
from sweeper.paths import entries_dir
from sweeper.train.runtime import numerics


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found.

    Attributes:
        collection: the images.
        sizes: of every class.
        small_classes: those with too few images to judge trials by.
        properties: of the files; None where nothing is known of them.
        undecodable: images that are left out, and what the decoder says.
        notes: further sentences about the data.
        copies: images that are there more than once.
        issues: labels that are likely wrong.
    """

    collection: Collection
    sizes: Sequence[ClassSize]
    small_classes: Sequence[str]
    properties: Properties | None
    undecodable: Sequence[tuple[str, str]]
    notes: Sequence[str]
    copies: Copies
    issues: LabelIssues

    def across(self, pair: Pair) -> str | None:
        """``train and test``, where a pair lies in two splits, or ``two folds``; else None."""
        one, other = sorted(
            (str(self.collection.splits[at]) for at in (pair.first, pair.second)), key=SPLITS.index
        )
        if one != other:
            return f"{one} and {other}"
        folds = self.collection.folds
        return None if folds[pair.first] == folds[pair.second] else "two folds"

    def conflicts(self, pair: Pair) -> bool:
        """Whether the two images of a pair have different labels."""
        labels = self.collection.labels
        return bool(labels[pair.first] != labels[pair.second])


@contextlib.contextmanager
def examined(recipe: Recipe, on_advance: OnAdvance) -> Iterator[Examination]:
    """Yield all findings about the data of ``recipe``, whose images can be read within the block.

    Raises:
        MissingInput: data or weights are not there.
        ConfigError: the data is not as the recipe describes it.
    """
    numerics.set_up(recipe)
    cache = Cache(entries_dir(), int(recipe.cache.budget_gb * 1e9))
    with opened(recipe, cache, on_advance) as collection:
        properties = properties_of(collection, recipe.image_size, on_advance)
        marks = marks_of(collection, recipe.image_size, on_advance)
        features = features_of(collection, recipe, cache, on_advance)
        copies = find_copies(features, marks, _same_bytes(collection), on_advance)
        probabilities = out_of_fold(
            features,
            collection.labels,
            copies.groups,
            len(collection.class_names),
            lambda done, total: on_advance(HEAD, done, total),
        )
        inspected = collection.inspected
        yield Examination(
            collection,
            class_sizes(collection),
            too_small(collection),
            properties,
            _undecodable(collection),
            [*(inspected.notes if inspected else ()), *unvalidated(collection.source)],
            copies,
            judge_labels(probabilities, collection.labels, copies.groups),
        )


def _same_bytes(collection: Collection) -> list[list[int]]:
    """Groups of images that the scan found to be the same bytes; the first trains if any does."""
    if collection.inspected is None:
        return []
    number_of = collection.number_of
    groups = (
        sorted(number_of[place] for place in group if place in number_of)
        for group in collection.inspected.found.twins
    )
    return [group for group in groups if len(group) > 1]


def _undecodable(collection: Collection) -> list[tuple[str, str]]:
    if collection.inspected is None:
        return []
    return [(one.name, one.reason) for part in collection.inspected.found.found for one in part]


def leaking_images(found: Examination) -> dict[str, int]:
    """Images of ``validation`` or ``test`` that are, nearly, in an earlier split too.

    By split, and with ``validation=kfold`` under ``folds`` those of train that are in another fold.
    """
    collection, groups = found.collection, found.copies.groups
    counts: dict[str, int] = {}
    for place, split in enumerate(SPLITS[1:], 1):
        earlier = np.isin(collection.splits, SPLITS[:place])
        mine = collection.splits == split
        counts[split] = int(np.isin(groups[mine], groups[earlier]).sum())
    folded = collection.folds >= 0
    if folded.any():
        members = np.unique(np.stack([groups[folded], collection.folds[folded]]), axis=1)[0]
        shared, times = np.unique(members, return_counts=True)
        counts["folds"] = int(np.isin(groups[folded], shared[times > 1]).sum())
    return {name: count for name, count in counts.items() if count}
