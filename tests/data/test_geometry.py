"""One interpolation, checked against a composition of plain matrices and the Keras layers."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sweeper.data.augment.geometry import warp


def photos(n: int = 2, height: int = 12, width: int = 10) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (n, height, width, 3)).astype(np.float32)


def keras_layer(kind: str, amount: float):
    exactly = (amount, amount)
    return {
        "turns": lambda: keras.layers.RandomRotation(exactly, seed=0),
        "shift_x": lambda: keras.layers.RandomTranslation(0.0, exactly, seed=0),
        "shift_y": lambda: keras.layers.RandomTranslation(exactly, 0.0, seed=0),
        "scale": lambda: keras.layers.RandomZoom(exactly, seed=0),
    }[kind]()


@pytest.mark.parametrize("amount", [-0.2, 0.13])
@pytest.mark.parametrize("kind", ["turns", "shift_x", "shift_y", "scale"])
def test_amounts_mean_what_they_mean_in_keras(kind, amount):
    before = photos()
    ours = warp(before, **{kind: amount + (kind == "scale")})
    theirs = keras_layer(kind, amount)(before, training=True)
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@pytest.mark.parametrize("amounts", [(0.5, 0.0), (0.0, 0.5), (-0.5, 0.0), (0.0, -0.25)])
def test_shear_is_that_of_keras_about_the_centre(amounts):
    before = photos(1, 9, 9)
    shear_x, shear_y = amounts
    layer = keras.layers.RandomShear(1.0, 1.0)
    theirs = layer.transform_images(before, {"shear_factor": np.array([amounts], np.float32)})
    ours = warp(before, shear_x=shear_x, shear_y=shear_y).numpy()
    # seen from the centre, 4 pixels from the corner, the picture of Keras is shifted
    right, down = round(4 * shear_x), round(4 * shear_y)
    moved = np.roll(np.asarray(theirs), (down, right), (1, 2))
    seen = np.ones((9, 9), bool)
    seen[: max(down, 0)], seen[:, : max(right, 0)] = False, False
    seen[9 + min(down, 0) :], seen[:, 9 + min(right, 0) :] = False, False
    np.testing.assert_allclose(ours[0][seen], moved[0][seen], atol=0.05)
    assert seen.sum() >= 63
    np.testing.assert_allclose(ours[0, 4, 4], before[0, 4, 4], atol=1e-3)


def test_each_image_has_its_own_amounts():
    before = photos(3)
    together = warp(before, turns=np.array([0.0, 0.1, -0.3], np.float32), shift_x=0.2).numpy()
    alone = [warp(before[i : i + 1], turns=t, shift_x=0.2) for i, t in enumerate([0.0, 0.1, -0.3])]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-3)


@pytest.mark.parametrize(("x", "y"), [(-1, 1), (1, -1), (-1, -1)])
def test_mirrors_are_exact(x, y):
    before = photos()
    after = warp(before, mirror_x=float(x), mirror_y=float(y))
    np.testing.assert_allclose(after, before[:, ::y, ::x], atol=1e-3)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def inward(height: int, width: int, amounts: dict[str, float]) -> np.ndarray:
    """From an output place to its input place, as a product of ``[3, 3]`` matrices on (x, y, 1)."""
    centre = (width - 1) / 2, (height - 1) / 2
    angle = 2 * np.pi * amounts["turns"]
    cosine, sine = np.cos(angle), np.sin(angle)
    return (
        shift(*centre)
        @ np.diag([amounts["mirror_x"], amounts["mirror_y"], 1])
        @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        @ shift(-width * amounts["shift_x"], -height * amounts["shift_y"])
        @ np.array([[1, amounts["shear_x"], 0], [amounts["shear_y"], 1, 0], [0, 0, 1]])
        @ np.diag([amounts["scale"], amounts["scale"], 1])
        @ shift(-centre[0], -centre[1])
    )


AMOUNT = st.floats(-0.4, 0.4)
MIRROR = st.sampled_from([-1.0, 1.0])


@settings(max_examples=40, deadline=None)
@given(
    amounts=st.fixed_dictionaries(
        {"mirror_x": MIRROR, "mirror_y": MIRROR, "scale": st.floats(0.6, 1.4)}
        | dict.fromkeys(["turns", "shift_x", "shift_y", "shear_x", "shear_y"], AMOUNT)
    ),
    height=st.integers(3, 17),
    width=st.integers(3, 17),
)
def test_any_change_is_the_product_of_its_parts(amounts, height, width):
    before = photos(1, height, width)
    matrix = inward(height, width, amounts)
    swapped = matrix[:2, :2][::-1, ::-1], matrix[:2, 2][::-1]  # scipy counts rows first
    expected = [
        ndimage.affine_transform(before[0, ..., channel], *swapped, order=1, mode="reflect")
        for channel in range(3)
    ]
    np.testing.assert_allclose(warp(before, **amounts)[0], np.stack(expected, -1), atol=0.1)
