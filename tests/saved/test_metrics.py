"""Figures of predictions, compared with scikit-learn's and with published ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn import metrics

from sweeper.pictures.reliability import save_reliability
from sweeper.saved.metrics import calibration_error, figures, of_classes, reliability
from sweeper.statistics.intervals import of_mean, of_share


@st.composite
def predicted(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    classes, count = draw(st.integers(2, 9)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    logits = rng.normal(scale=draw(st.sampled_from([0.1, 1.0, 30.0])), size=(count, classes))
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities, rng.integers(0, classes, count)


@given(predicted())
def test_figures_are_those_of_scikit_learn(
    of: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> None:
    probabilities, truth = of
    labels = range(probabilities.shape[1])
    said = probabilities.argmax(axis=1)
    found = figures(probabilities, truth)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, said))
    present = np.unique(truth)
    recalls = metrics.recall_score(truth, said, labels=present, average=None)
    assert found["balanced_accuracy"].value == pytest.approx(recalls.mean())
    assert ("top_5_accuracy" in found) == (len(labels) > 5)
    if len(labels) > 5:
        # scikit-learn takes the last of equals first
        turned = metrics.top_k_accuracy_score(
            len(labels) - 1 - truth, probabilities[:, ::-1], k=5, labels=labels
        )
        assert found["top_5_accuracy"].value == pytest.approx(turned)
    each = of_classes(probabilities, truth, [str(label) for label in labels])
    expected = metrics.precision_recall_fscore_support(
        truth, said, labels=labels, zero_division=np.nan
    )
    for one, precision, recall, f1, images in zip(each, *expected, strict=True):
        assert one.images == images
        got = [np.nan if figure is None else figure.value for figure in (one.precision, one.recall)]
        np.testing.assert_allclose(got, [precision, recall])
        np.testing.assert_allclose(np.nan if one.f1 is None else one.f1, f1)
    for figure in found.values():
        if figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value <= figure.high


@given(predicted())
def test_all_images_are_in_a_bin(of: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    probabilities, truth = of
    bins = reliability(probabilities, truth)
    assert sum(one.images for one in bins) == len(truth)
    right = (probabilities.argmax(axis=1) == truth).mean()
    mean = sum(one.accuracy * one.images for one in bins) / len(truth)
    assert mean == pytest.approx(right)
    assert 0 <= calibration_error(bins) <= 1


def test_the_calibration_error_by_hand() -> None:
    # 4 images of 0.9, half of them right, and 4 of 0.6, all of them right
    probabilities = np.float32([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 4)
    truth = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    bins = reliability(probabilities, truth)
    assert [one.images for one in bins] == [4, 4]
    assert calibration_error(bins) == pytest.approx((0.4 * 4 + 0.4 * 4) / 8)


def test_a_log_loss_of_what_is_impossible_is_finite() -> None:
    found = figures(np.float32([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    assert np.isfinite(found["log_loss"].value)


def test_intervals_have_their_published_values() -> None:
    # Newcombe 1998, table I, method 3
    assert of_share(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    # Student 1908: the additional hours of sleep by drug 2 beyond drug 1
    more = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert of_mean(more) == pytest.approx((0.700, 2.460), abs=1e-3)
    assert of_mean(np.array([1.0])) == (None, None)


def test_a_reliability_curve_is_drawn(tmp_path: Path) -> None:
    save_reliability(tmp_path / "a.png", [0.3, 0.9], [0.1, 1.0], [3, 90], 0.1)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        assert len(picture.getcolors(10**6)) > 20
