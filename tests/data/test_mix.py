"""Images and targets are mixed by the same shares, drawn as the papers have it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.data.augment.mix import draw_share, keep_outside_box, mix


def seed(number: int = 0) -> tf.Tensor:
    return tf.constant([number, 3], tf.int64)


def numbered(count: int, height: int = 8, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Image i is i everywhere and its target says class i, so that pixels and targets compare."""
    images = np.arange(count, dtype=np.float32)[:, None, None, None]
    return np.broadcast_to(images, (count, height, width, 3)), np.eye(count, dtype=np.float32)


def mixed(count: int, number: int = 0, *, mixup: float = 0.0, cutmix: float = 0.0, **size: int):
    images, targets = numbered(count, **size)
    after = mix(tf.constant(images), tf.constant(targets), seed(number), mixup, cutmix)
    return after[0].numpy(), after[1].numpy()


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2, 1.0, 5.0])
def test_shares_are_beta_distributed(alpha):
    drawn = draw_share(seed(), 20_000, alpha).numpy()
    assert drawn.dtype == np.float32
    assert ((drawn >= 0) & (drawn <= 1)).all()
    # float32 ends at 1 - 6e-8, where a small alpha has much of its weight: compare within
    ends = 1e-4, 1 - 1e-4
    inside = drawn[(drawn > ends[0]) & (drawn < ends[1])]
    low, high = stats.beta(alpha, alpha).cdf(ends)
    assert len(inside) / len(drawn) == pytest.approx(high - low, abs=0.015)

    def within(x: np.ndarray) -> np.ndarray:
        return (stats.beta(alpha, alpha).cdf(x) - low) / (high - low)

    assert stats.kstest(inside, within).pvalue > 1e-3


def test_mixup_is_that_of_keras_with_the_same_draws():
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (9, 7, 5, 3)).astype(np.float32)
    targets = random.dirichlet(np.ones(4), 9).astype(np.float32)
    ours = mix(tf.constant(images), tf.constant(targets), seed(), 0.4, 0.0)
    _, share, _ = tf.unstack(tf.random.split(seed(), 3))
    drawn = {
        "mix_weight": draw_share(share, 9, 0.4),
        "permutation_order": np.roll(np.arange(9), 1),
    }
    layer = keras.layers.MixUp()
    np.testing.assert_allclose(ours[0], layer.transform_images(images, drawn), rtol=1e-5)
    np.testing.assert_allclose(ours[1], layer.transform_labels(targets, drawn), rtol=1e-5)
    assert np.abs(ours[0] - images).max() > 10


def test_mixup_draws_a_share_for_each_image():
    images, targets = mixed(64, mixup=1.0)
    own = targets.diagonal()
    assert len(set(own)) == 64
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(images[:, 0, 0, 0], targets @ np.arange(64), rtol=1e-4)
    assert (images == images[:, :1, :1]).all()


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, 2**32),
    count=st.integers(2, 6),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    alpha=st.floats(1e-3, 8),
)
def test_cutmix_pastes_one_box_and_its_area_is_the_share(number, count, height, width, alpha):
    images, targets = mixed(count, number, cutmix=alpha, height=height, width=width)
    own = np.arange(count)
    pasted = images != own[:, None, None, None]
    assert (
        images[pasted]
        == np.broadcast_to(np.roll(own, 1)[:, None, None, None], images.shape)[pasted]
    ).all()
    assert (pasted == pasted[..., :1]).all()
    for box in pasted[..., 0]:
        rows, columns = box.any(axis=1), box.any(axis=0)
        assert (box == np.outer(rows, columns)).all()
        assert (np.diff(np.flatnonzero(rows)) == 1).all()
        assert (np.diff(np.flatnonzero(columns)) == 1).all()
    np.testing.assert_allclose(targets.diagonal(), 1 - pasted.mean(axis=(1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def published_box(random: np.random.Generator, share: float, size: int) -> float:
    """What is left outside the box of the CutMix authors' code (``rand_bbox``)."""
    side = int(size * np.sqrt(1 - share))
    kept = 1.0
    for centre in [random.integers(size, size=2)]:
        low, high = (np.clip(centre + sign * (side // 2), 0, size) for sign in (-1, 1))
        kept -= np.prod(high - low) / size**2
    return float(kept)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_boxes_lie_and_are_cut_as_published(share):
    random, count, size = np.random.default_rng(0), 4000, 64
    shares = tf.fill([count], np.float32(share))
    ours = keep_outside_box(seed(), shares, size, size).numpy().mean(axis=(1, 2, 3))
    theirs = [published_box(random, share, size) for _ in range(count)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.02)
    assert np.std(ours) == pytest.approx(np.std(theirs), abs=0.02)
    whole = ours.min()  # not cut by the border
    assert whole == pytest.approx(share, abs=0.03)


def test_boxes_have_the_proportions_of_the_image():
    box = 1 - keep_outside_box(seed(), tf.fill([500], 0.75), 20, 60).numpy()[..., 0]
    heights, widths = box.any(axis=2).sum(axis=1), box.any(axis=1).sum(axis=1)
    assert heights.max() == 10
    assert widths.max() == 30


def test_with_both_each_batch_draws_one_of_them():
    blended = 0
    for number in range(60):
        images, _ = mixed(3, number, mixup=1.0, cutmix=1.0)
        whole = (images == np.round(images)).all()
        plain = (images == images[:, :1, :1]).all()
        assert whole or plain  # never a box in one image and a blend in another
        blended += int(not whole)
    assert 15 <= blended <= 45


def test_what_is_drawn_depends_on_the_seed_alone():
    first, other = mixed(4, 1, mixup=0.5, cutmix=0.5), mixed(4, 1, mixup=0.5, cutmix=0.5)
    np.testing.assert_array_equal(first[0], other[0])
    np.testing.assert_array_equal(first[1], other[1])
    different = [mixed(4, number, mixup=0.5)[1].tobytes() for number in range(5)]
    assert len(set(different)) == 5


@pytest.mark.parametrize("alphas", [(0.3, 0.0), (0.0, 1.0), (0.3, 1.0)])
@pytest.mark.parametrize("count", [0, 1])
def test_one_image_or_none_stays_as_it_is(count, alphas):
    before = numbered(count)
    after = mixed(count, mixup=alphas[0], cutmix=alphas[1])
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old)
        assert new.shape == old.shape


def test_one_logit_is_mixed_like_a_class():
    images, _ = numbered(4)
    targets = np.array([[0.05], [0.95], [0.05], [0.95]], np.float32)
    _, after = mix(tf.constant(images), tf.constant(targets), seed(), 1.0, 0.0)
    shares = mixed(4, mixup=1.0)[1].diagonal()
    expected = shares * targets[:, 0] + (1 - shares) * np.roll(targets[:, 0], 1)
    np.testing.assert_allclose(after[:, 0], expected, rtol=1e-5)
