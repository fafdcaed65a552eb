"""Splits: disjoint, complete, of the right size, proportional, reproducible."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.data.examples import Examples, split_test, split_validation
from sweeper.errors import ConfigError

labellings = st.lists(st.integers(1, 40), min_size=1, max_size=12).flatmap(
    lambda sizes: st.permutations([k for k, size in enumerate(sizes) for _ in range(size)])
)
fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**63)


def examples(labels: list[int]) -> Examples:
    return Examples(
        labels=np.array(labels, dtype=np.int64),
        indices=np.arange(len(labels)),
        read=tf.data.Dataset.from_tensor_slices,
        decode=lambda raw: raw,
        size=None,
    )


@settings(max_examples=200, deadline=None)
@given(labellings, fractions, seeds)
def test_split_parts_the_examples_in_proportion(labels, fraction, seed):
    whole = examples(labels)
    sizes = np.bincount(whole.labels)
    if sizes.max() == 1:
        with pytest.raises(ConfigError, match="no class has two images"):
            split_validation(whole, fraction, seed)
        return
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
@given(labellings.filter(lambda labels: np.bincount(labels).max() > 1), fractions, seeds)
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
