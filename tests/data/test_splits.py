"""Splits: disjoint, complete, of the right size, proportional, reproducible."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.data.examples import Examples, class_counts
from sweeper.data.splits import split_folds, split_test, split_validation
from sweeper.errors import ConfigError


def labellings(smallest: int, largest: int = 40) -> st.SearchStrategy[list[int]]:
    """Labels of up to 12 classes, each with at least so many images, in any order."""
    return st.lists(st.integers(smallest, largest), min_size=1, max_size=12).flatmap(
        lambda sizes: st.permutations([k for k, size in enumerate(sizes) for _ in range(size)])
    )


fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**63)


def examples(labels: list[int], class_names: tuple[str, ...] = ()) -> Examples:
    return Examples(
        labels=np.array(labels, dtype=np.int64),
        indices=np.arange(len(labels)),
        read=tf.data.Dataset.from_tensor_slices,
        decode=lambda raw: raw,
        size=None,
        class_names=class_names,
    )


@settings(max_examples=200, deadline=None)
@given(labellings(2), fractions, seeds)
def test_split_parts_the_examples_in_proportion(labels, fraction, seed):
    whole = examples(labels)
    sizes = np.bincount(whole.labels)
    train, held = split_validation(whole, fraction, seed)

    assert sorted([*train.indices, *held.indices]) == list(range(len(labels)))
    for part in (train, held):
        assert np.all(np.diff(part.indices) > 0)
        np.testing.assert_array_equal(part.labels, whole.labels[part.indices])
    taken = np.bincount(held.labels, minlength=len(sizes))
    quotas = np.minimum(fraction * sizes, sizes - 1)
    assert np.all(np.abs(taken - quotas) < 1 + 1e-9)
    assert np.all(sizes - taken >= 1)
    assert len(held) == pytest.approx(max(1, quotas.sum()), abs=0.5 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(labellings(2), fractions, seeds)
def test_same_seed_same_split(labels, fraction, seed):
    first, second = (split_validation(examples(labels), fraction, seed)[1] for _ in range(2))
    np.testing.assert_array_equal(first.indices, second.indices)


def test_seed_and_purpose_change_the_split():
    whole = examples([k % 5 for k in range(200)])
    held = [
        tuple(split_validation(whole, 0.2, 0)[1].indices),
        tuple(split_validation(whole, 0.2, 1)[1].indices),
        tuple(split_test(whole, 0.2, 0)[1].indices),
    ]
    assert len(set(held)) == 3


def test_fewer_held_out_than_classes_reaches_all_classes_over_the_seeds():
    whole = examples([k for k in range(20) for _ in range(2)])
    seen = set()
    for seed in range(60):
        _, held = split_validation(whole, 0.1, seed)
        assert len(held) == len(set(held.labels)) == 4
        seen |= set(held.labels)
    assert seen == set(range(20))


def test_select_reads_what_it_selects():
    part = examples([0, 1, 0, 1, 0]).select(np.array([1, 2, 4])).select(np.array([0, 2]))
    assert list(part.raw().as_numpy_iterator()) == [1, 4]
    assert part.labels.tolist() == [1, 0]
    assert len(part) == 2


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(2, 7), seeds)
def test_every_example_validates_in_one_fold(data, folds, seed):
    whole = examples(data.draw(labellings(folds)))
    n_classes = whole.labels.max() + 1
    parts = split_folds(whole, folds, seed)
    assert len(parts) == folds

    validated = np.concatenate([validation.indices for _, validation in parts])
    assert sorted(validated) == list(range(len(whole)))
    for train, validation in parts:
        assert sorted([*train.indices, *validation.indices]) == list(range(len(whole)))
        for part in (train, validation):
            assert np.all(np.diff(part.indices) > 0)
            np.testing.assert_array_equal(part.labels, whole.labels[part.indices])
    sizes = [len(validation) for _, validation in parts]
    assert max(sizes) - min(sizes) <= 1
    counts = np.stack([class_counts(validation.labels, n_classes) for _, validation in parts])
    assert np.ptp(counts, axis=0).max() <= 1
    assert counts.min() >= 1

    for (_, first), (_, again) in zip(parts, split_folds(whole, folds, seed), strict=True):
        np.testing.assert_array_equal(first.indices, again.indices)


@st.composite
def edited(draw: st.DrawFn, smallest: int) -> tuple[Examples, Examples, dict[int, int]]:
    """Images before and after an edit; and how many images of each class it added or removed."""
    before = draw(labellings(smallest))
    classes = st.sampled_from(sorted(set(before)))
    names = {f"{number}.jpg": label for number, label in enumerate(before)}
    edits = dict.fromkeys(before, 0)
    after = dict(names)
    for number in range(draw(st.integers(1, 5))):
        added = draw(classes)
        after[f"new {number}.jpg"] = added
        edits[added] += 1
    for gone in draw(st.lists(st.sampled_from(sorted(names)), max_size=3, unique=True)):
        if sum(label == names[gone] for label in after.values()) > smallest:
            del after[gone]
            edits[names[gone]] += 1
    for moved in draw(st.lists(st.sampled_from(sorted(after)), max_size=3, unique=True)):
        if sum(label == after[moved] for label in after.values()) > smallest:
            edits[after[moved]] += 1
            after[moved] = draw(classes)
            edits[after[moved]] += 1
    return named(names), named(after), edits


def named(images: dict[str, int]) -> Examples:
    """Images by their names, in alphabetical order."""
    files = sorted(images)
    return replace(examples([images[file] for file in files]), identify=files.__getitem__)


def parts_of(split: list[Examples]) -> dict[str, int]:
    return {
        part.identify(int(place)): number
        for number, part in enumerate(split)
        for place in part.indices
    }


def moved_by_class(before: dict[str, int], after: dict[str, int], whole: Examples) -> list[int]:
    """For each class, how many of the images that are there before and after changed part."""
    labels = dict(zip(map(whole.identify, range(len(whole))), whole.labels, strict=True))
    moved = [labels[one] for one in before.keys() & after.keys() if before[one] != after[one]]
    return class_counts(np.array(moved, np.int64), int(whole.labels.max()) + 1).tolist()


@settings(max_examples=200, deadline=None)
@given(edited(2), fractions, seeds, st.sampled_from([split_test, split_validation]))
def test_an_edit_leaves_other_images_in_their_part(edit, fraction, seed, split):
    old, new, edits = edit
    before, after = (parts_of(split(whole, fraction, seed)) for whole in (old, new))
    moved = moved_by_class(before, after, new)
    # what is rounded may change by one in each class
    assert all(count <= 1 + 2 * edits[label] for label, count in enumerate(moved))


@settings(max_examples=100, deadline=None)
@given(edited(4), st.integers(2, 4), seeds)
def test_an_edit_leaves_other_images_in_their_fold(edit, folds, seed):
    old, new, edits = edit
    before, after = (
        parts_of([validation for _, validation in split_folds(whole, folds, seed)])
        for whole in (old, new)
    )
    moved = moved_by_class(before, after, new)
    # as above, at each of the borders between folds; which of them have one more may turn
    bounds = [(folds - 1) * (folds // 2 + 2 * edits[label]) for label in range(len(moved))]
    assert all(count <= bound for count, bound in zip(moved, bounds, strict=True))


def test_the_order_of_the_images_decides_nothing():
    names = {f"{number}.jpg": number % 3 for number in range(90)}
    whole = named(names)
    turned = np.arange(len(whole))[::-1]
    other = replace(
        whole,
        labels=whole.labels[turned],
        identify=lambda place: whole.identify(int(turned[place])),
    )
    held = [
        {part.identify(int(at)) for at in part.indices}
        for part in (split_validation(one, 0.3, 0)[1] for one in (whole, other))
    ]
    assert held[0] == held[1]


def test_seeds_change_the_folds():
    whole = examples([k % 5 for k in range(100)])
    drawn = {
        tuple(split_folds(whole, 4, seed)[0][1].indices.tolist()) for seed in (0, 1, 2**32, 2**63)
    }
    assert len(drawn) == 4


def test_folds_of_a_part_stay_within_it():
    part, _ = split_test(examples([k % 3 for k in range(60)]), 0.3, 0)
    validated = [validation.indices for _, validation in split_folds(part, 3, 0)]
    assert sorted(np.concatenate(validated)) == part.indices.tolist()


def test_more_folds_than_images_of_a_class():
    whole = examples([0] * 5 + [1] * 3 + [2] * 4, ("ant", "bee", "cat"))
    with pytest.raises(ConfigError) as caught:
        split_folds(whole, 5, 0)
    assert caught.value.faults == (
        "validation.folds=5 needs 5 images of each class, but classes 'bee', 'cat' have fewer; "
        "add images, or set validation.folds=3",
    )
    assert len(split_folds(whole, 3, 0)) == 3
    with pytest.raises(ConfigError, match=r"class 1 has fewer; add images$"):
        split_folds(examples([0, 0, 1]), 2, 0)


@pytest.mark.parametrize(
    ("split", "key"),
    [(split_test, "dataset.test_fraction"), (split_validation, "dataset.validation_fraction")],
)
def test_single_images_cannot_be_split(split, key):
    names = tuple(f"class{k}" for k in range(20))
    with pytest.raises(ConfigError) as caught:
        split(examples([0, 0, 1], names), 0.2, 0)
    assert caught.value.faults == (
        f"{key} cannot be held out: class 'class1' has a single image; "
        "add images, or remove such classes",
    )
    with pytest.raises(ConfigError, match=r"'class10', and 8 more have a single image"):
        split(examples([0, 0, *range(1, 19)], names), 0.2, 0)


def test_classes_without_an_example_count_as_none():
    assert class_counts(np.array([3, 1, 3]), 5).tolist() == [0, 1, 0, 2, 0]
    train, validation = split_validation(examples([0, 0, 2, 2], ("a", "b", "c")), 0.5, 0)
    assert (train.labels.tolist(), validation.labels.tolist()) == ([0, 2], [0, 2])
