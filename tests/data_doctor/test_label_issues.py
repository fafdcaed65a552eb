"""Labels that are likely wrong, and those that cannot be judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweeper.data_doctor.label_issues import LEAST, judge_labels
from sweeper.data_doctor.out_of_fold import FOLDS, fold_of_groups, out_of_fold


def clouds(each: int, classes: int = 3) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points of some classes that are apart, and their labels."""
    labels = np.repeat(np.arange(classes), each)
    points = np.random.default_rng(0).normal(size=(len(labels), 6))
    points[np.arange(len(labels)), labels] += 6
    return points.astype(np.float32), labels


def test_wrong_labels_come_first_with_the_right_suggestion() -> None:
    points, truth = clouds(30)
    labels = truth.copy()
    labels[[4, 40, 70]] = [1, 2, 0]
    groups = np.arange(len(labels))
    found = judge_labels(out_of_fold(points, labels, groups, 3), labels, groups)
    assert set(found.ranked[:3].tolist()) == {4, 40, 70}
    assert set(np.flatnonzero(found.wrong).tolist()) <= {4, 40, 70}
    assert found.suggestions[[4, 40, 70]].tolist() == truth[[4, 40, 70]].tolist()
    assert found.unjudged == ()


def test_a_label_is_wrong_where_another_class_is_more_probable_than_usual() -> None:
    """Means by label: 0.7 for class 0, 0.6 for class 1."""
    of_first = [0.9, 0.9, 0.9, 0.5, 0.3, 0.7]
    of_second = [0.9, 0.7, 0.6, 0.6, 0.2]
    first = np.array([*of_first, *(1 - np.array(of_second))])
    labels = np.repeat([0, 1], [6, 5])
    found = judge_labels(np.stack([first, 1 - first], 1), labels, np.arange(11))
    assert np.flatnonzero(found.wrong).tolist() == [4, 10]
    assert found.ranked[:2].tolist() == [10, 4]
    assert found.accuracy == pytest.approx(9 / 11)


def test_a_copy_with_the_wrong_label_does_not_hide_behind_itself() -> None:
    """Ten copies of one image have the wrong label: apart they would confirm each other."""
    points, labels = clouds(30)
    points = np.concatenate([points, np.repeat(points[:1], 10, axis=0)])
    labels = np.concatenate([labels, np.full(10, 2)])
    alone = np.arange(len(labels))
    together = np.concatenate([alone[:90], np.full(10, 90)])
    found = judge_labels(out_of_fold(points, labels, together, 3), labels, together)
    assert found.wrong[90:].all()
    hidden = judge_labels(out_of_fold(points, labels, alone, 3), labels, alone)
    assert not hidden.wrong[90:].all()


@pytest.mark.parametrize(
    ("sizes", "unjudged"),
    [
        ((LEAST, LEAST), ()),
        ((LEAST - 1, LEAST, LEAST), (0,)),
        ((3, 3), (0, 1)),
        ((20, 1), (0, 1)),
        ((20,), (0,)),
        ((1,), (0,)),
    ],
)
def test_what_cannot_be_judged_is_said(sizes: tuple[int, ...], unjudged: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = np.random.default_rng(0).normal(size=(len(labels), 4)).astype(np.float32)
    groups = np.arange(len(labels))
    probabilities = out_of_fold(points, labels, groups, len(sizes))
    found = judge_labels(probabilities, labels, groups)
    assert found.unjudged == unjudged
    assert set(labels[found.ranked].tolist()).isdisjoint(unjudged)
    assert (found.accuracy is None) == (len(found.ranked) == 0)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=120),
)
def test_folds_are_stratified_and_leave_groups_whole(images: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in images])
    groups = np.array([group for _, group in images])
    folds = fold_of_groups(labels, groups)
    assert set(folds.tolist()) <= set(range(FOLDS))
    for group in np.unique(groups):
        assert len(set(folds[groups == group].tolist())) == 1
    lowest = {group: labels[groups == group].min() for group in groups.tolist()}
    for label in set(lowest.values()):
        mine = [folds[groups == group][0] for group in lowest if lowest[group] == label]
        counts = np.bincount(mine, minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
