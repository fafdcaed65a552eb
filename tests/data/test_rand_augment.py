"""The operations of Pillow, drawn for each image by itself."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from sweeper.data.augment.rand_augment import OPERATIONS, rand_augment

NAMES = [
    "identity",
    "shear_x",
    "shear_y",
    "shift_x",
    "shift_y",
    "rotation",
    "brightness",
    "colour",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "auto_contrast",
    "equalize",
]
GEOMETRY = NAMES[1:6]


def photos(n: int = 4, size: int = 16) -> np.ndarray:
    """Smooth enough to have edges and flat parts, and none has all levels."""
    random = np.random.default_rng(3)
    coarse = random.integers(30, 200, (n, 4, 4, 3)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(one).resize((size, size))) for one in coarse]
    return np.stack(large).astype(np.float32)


def changed(name: str, images: np.ndarray, strength: float) -> np.ndarray:
    strengths = tf.fill([len(images)], np.float32(strength))
    return OPERATIONS[NAMES.index(name)](tf.constant(images), strengths).numpy()


def seed(number: int) -> tf.Tensor:
    return tf.constant([number, 7], tf.int64)


def enhanced(enhancer):
    return lambda image, strength: enhancer(image).enhance(1 + 0.9 * strength)


PILLOW = {
    "identity": lambda image, strength: image,
    "brightness": enhanced(ImageEnhance.Brightness),
    "colour": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "posterize": lambda image, strength: ImageOps.posterize(image, 8 - round(4 * abs(strength))),
    "solarize": lambda image, strength: ImageOps.solarize(image, 256 * (1 - abs(strength))),
    "auto_contrast": lambda image, strength: ImageOps.autocontrast(image),
    "equalize": lambda image, strength: ImageOps.equalize(image),
}


@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", PILLOW)
def test_colours_change_as_in_pillow(name, strength):
    images = photos()
    ours = changed(name, images, strength)
    for before, after in zip(images.astype(np.uint8), ours, strict=True):
        theirs = np.asarray(PILLOW[name](Image.fromarray(before), strength))
        # Pillow rounds, or cuts off, at each of its steps
        np.testing.assert_allclose(after, theirs, atol=2.5 if name == "sharpness" else 1.5)


@settings(max_examples=30, deadline=None)
@given(
    levels=st.lists(st.integers(0, 255), min_size=1, max_size=6),
    seed=st.integers(0, 2**31),
    size=st.integers(3, 40),
)
def test_equalize_is_that_of_pillow_however_few_levels_there_are(levels, seed, size):
    random = np.random.default_rng(seed)
    image = random.choice(levels, (size, size, 3)).astype(np.uint8)
    ours = changed("equalize", image[np.newaxis].astype(np.float32), 0.5)[0]
    np.testing.assert_array_equal(ours, np.asarray(ImageOps.equalize(Image.fromarray(image))))


def places(rows: np.ndarray) -> np.ndarray:
    """Where the bright line crosses each row."""
    return np.array([np.flatnonzero(row > 200).mean() for row in rows])


def test_full_strength_is_the_end_of_autoaugments_ranges():
    """Cubuk et al. 2018, table 6: 150 of 331 pixels, shear by 0.3, 30 degrees."""
    down = np.zeros((1, 331, 331, 3), np.float32)
    down[:, :, 164:167] = 255
    across = down.transpose(0, 2, 1, 3)
    for strength in (-1, 1):
        shifted = changed("shift_x", down, strength)[0, ..., 0]
        np.testing.assert_allclose(places(shifted), 165 + 150 * strength)
        shifted = changed("shift_y", across, strength)[0, ..., 0]
        np.testing.assert_allclose(places(shifted.T), 165 + 150 * strength)
        middle = np.arange(100, 231)
        for name, turned, slope in (
            ("shear_x", changed("shear_x", down, strength)[0, ..., 0], -0.3),
            ("shear_y", changed("shear_y", across, strength)[0, ..., 0].T, -0.3),
            ("rotation", changed("rotation", down, strength)[0, ..., 0], np.tan(np.deg2rad(30))),
        ):
            line = np.polyfit(middle - 165, places(turned[middle]), 1)
            np.testing.assert_allclose(line, (slope * strength, 165), atol=0.02, err_msg=name)


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_nothing_is_flipped(name, strength):
    ramp = np.broadcast_to(np.arange(32, dtype=np.float32) * 4, (1, 32, 32))
    image = np.stack([ramp, ramp.transpose(0, 2, 1), ramp], axis=-1)
    after = changed(name, image, strength)[0]
    # only at the edges of the grey around the image does a ramp go down
    assert ((np.diff(after[..., 0], axis=1) < -0.01).sum(axis=1) <= 4).all()
    assert ((np.diff(after[..., 1], axis=0) < -0.01).sum(axis=0) <= 4).all()


def test_each_image_draws_its_own_operation_and_all_are_as_likely():
    count, magnitude = 2800, 0.8
    image = photos(1, 8)
    after = rand_augment(tf.repeat(image, count, axis=0), seed(0), 1, magnitude).numpy()
    seen = Counter(one.tobytes() for one in after)
    expected: Counter[bytes] = Counter()
    for name in NAMES:
        for sign in (-1, 1):
            expected[changed(name, image, sign * magnitude)[0].tobytes()] += count / 28
    assert len(expected) == 22  # so few pixels are equalized as they are
    assert set(seen) == set(expected)
    assert stats.chisquare([seen[k] for k in expected], list(expected.values())).pvalue > 1e-4


def test_several_operations_follow_one_another():
    image = photos(1, 8)
    after = rand_augment(tf.repeat(image, 500, axis=0), seed(1), 2, 0.8).numpy()
    single = [changed(name, image, s)[0] for name in NAMES for s in (-0.8, 0.8)]
    pairs = {
        one.tobytes()
        for name in NAMES
        for s in (-0.8, 0.8)
        for one in changed(name, np.stack(single), s)
    }
    seen = {one.tobytes() for one in after}
    assert seen <= pairs
    assert len(seen - {one.tobytes() for one in single}) > 100


def test_each_image_keeps_its_place():
    """Of plain images, at strength 0, every operation leaves everything."""
    images = np.arange(50, dtype=np.float32)[:, None, None, None] * np.ones(
        (1, 5, 5, 3), np.float32
    )
    np.testing.assert_array_equal(rand_augment(tf.constant(images), seed(0), 3, 0.0), images)


@settings(max_examples=15, deadline=None)
@example(number=0, count=1, height=5, width=4, operations=2, magnitude=1.0)  # rounds past 255
@given(
    number=st.integers(0, 2**32),
    count=st.integers(0, 5),
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    operations=st.integers(1, 3),
    magnitude=st.floats(0, 1, width=32),
)
def test_any_images_stay_images(number, count, height, width, operations, magnitude):
    random = np.random.default_rng(number)
    images = random.uniform(0, 255, (count, height, width, 3)).astype(np.float32)
    after = rand_augment(tf.constant(images), seed(number), operations, magnitude).numpy()
    assert after.shape == images.shape
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    assert ((after >= 0) & (after <= 255)).all()
    again = rand_augment(tf.constant(images), seed(number), operations, magnitude)
    np.testing.assert_array_equal(after, again)
