import numpy as np
import pytest

from sweeper.pictures.figures import as_pixels


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float16"])
def test_pixels_of_any_kind_are_rounded_and_cut_off(kind: str) -> None:
    given_values = np.array([0, 1.4, 1.6, 255]).astype(kind)
    images = np.broadcast_to(given_values[:, None, None, None], (4, 2, 2, 3))
    expected = np.rint(given_values.astype(float))
    assert np.array_equal(as_pixels(images)[:, 0, 0, 0], expected)


def test_pixels_that_are_no_pixels() -> None:
    images = np.array([np.nan, -3.0, 1e9, -np.inf])[:, None, None, None] * np.ones((1, 1, 1, 3))
    assert as_pixels(images)[:, 0, 0, 0].tolist() == [0, 0, 255, 0]
