"""Copies of images: exact ones, near ones, and what is alike but no copy."""

import io

import numpy as np
import pytest
from doctored import texture
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sweeper.data_doctor.copies import BYTES, CROP, NEAR, PIXELS, find_copies
from sweeper.data_doctor.neighbours import nearest
from sweeper.data_doctor.picture_match import correlations, part_correlations
from sweeper.data_doctor.pixel_marks import SIDE, PixelMarks


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def marked(images: list[Image.Image]) -> PixelMarks:
    words = [hash(image.tobytes()) % 2**63 for image in images]
    return PixelMarks(np.array(words, np.uint64), np.stack([thumbnail(one) for one in images]))


def described(images: list[Image.Image]) -> NDArray[np.float32]:
    """Features as coarse as pooled ones: means of colours in a few places."""
    small = [np.asarray(one.resize((8, 6), Image.Resampling.BOX), np.float32) for one in images]
    return np.stack(small).reshape(len(images), -1)


def jpeg(image: Image.Image) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=70)
    return Image.open(content).convert("RGB")


ORIGINALS = [texture(number, 0) for number in range(30)]


@pytest.mark.parametrize(
    ("copy", "kind"),
    [
        (lambda image: image.copy(), PIXELS),
        (jpeg, NEAR),
        (lambda image: jpeg(image.resize((45, 34))), NEAR),
        (lambda image: image.point(lambda value: min(255, int(1.15 * value))), NEAR),
        (lambda image: image.crop((6, 1, 62, 42)), CROP),
    ],
    ids=["pixels", "encoded", "resized", "brightened", "cropped"],
)
def test_a_copy_is_found_and_nothing_else(copy: object, kind: str) -> None:
    images = [*ORIGINALS, copy(ORIGINALS[7])]  # type: ignore[operator]
    found = find_copies(described(images), marked(images), [], lambda *_advance: None)
    assert [(pair.first, pair.second, pair.kind) for pair in found.pairs] == [(7, 30, kind)]
    assert found.groups[7] == found.groups[30]
    assert len(set(found.groups.tolist())) == 30


def test_files_that_are_the_same_are_not_compared_again() -> None:
    images = [*ORIGINALS, *ORIGINALS[:2], ORIGINALS[0]]
    found = find_copies(described(images), marked(images), [[0, 30, 32]], lambda *_advance: None)
    pairs = [(pair.first, pair.second, pair.kind) for pair in found.pairs]
    assert pairs == [(0, 30, BYTES), (0, 32, BYTES), (1, 31, PIXELS)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images_are_enough(count: int) -> None:
    images = ORIGINALS[:count]
    found = find_copies(described(images), marked(images), [], lambda *_advance: None)
    assert found.pairs == ()


def test_pictures_with_nothing_to_see_are_no_near_copies() -> None:
    flat = [Image.new("RGB", (64, 48), (level, level, level)) for level in range(20, 60)]
    found = find_copies(described(flat), marked(flat), [], lambda *_advance: None)
    assert found.pairs == ()


def test_correlation_ignores_brightness_and_contrast() -> None:
    one = thumbnail(ORIGINALS[0])
    other = np.rint(0.5 * one + 60).astype(np.uint8)
    both = np.stack([one, other, thumbnail(ORIGINALS[1])])
    alike, unlike = correlations(both, np.array([0, 0]), np.array([1, 2]))
    assert alike > 0.98
    assert abs(unlike) < 0.5


def test_a_part_is_found_whichever_picture_is_the_part() -> None:
    whole = ORIGINALS[3]
    both = np.stack([thumbnail(whole), thumbnail(whole.crop((4, 6, 60, 48)))])
    there, back = part_correlations(both, np.array([0, 1]), np.array([1, 0]))
    assert there == pytest.approx(back, abs=1e-5)
    assert there > 0.8 > correlations(both, np.array([0]), np.array([1]))[0]


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_neighbours_are_those_of_the_whole_matrix(
    total: int, numbers: int, count: int, seed: int
) -> None:
    features = np.random.default_rng(seed).normal(size=(total, numbers)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweeper.data_doctor.neighbours._BLOCK", 7)
        found = nearest(features, count)
    centred = features - features.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    wanted = -np.sort(-cosines, axis=1)[:, : min(count, total - 1)]
    np.testing.assert_allclose(found.cosines, wanted, atol=1e-5)
    places = np.arange(total)[:, np.newaxis]
    np.testing.assert_allclose(cosines[places, found.numbers], found.cosines, atol=1e-5)


def test_neighbours_stay_the_same_in_fewer_numbers() -> None:
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(300, 20)) @ draws.normal(size=(20, 600))
    features = latent.astype(np.float32)
    unit = features - features.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    np.testing.assert_array_equal(nearest(features, 1).numbers[:, 0], cosines.argmax(axis=1))
