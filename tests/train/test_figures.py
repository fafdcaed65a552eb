import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.train.figures import as_pixels, shorten, wrap


@given(name=st.text(max_size=80), limit=st.integers(3, 40))
def test_shortened_names_keep_both_ends(name: str, limit: int) -> None:
    short = shorten(name, limit)
    line = " ".join(name.split())
    assert len(short) == min(limit, len(line))
    head, mark, tail = short.partition("…") if len(line) > limit else (line, "", "")
    assert line.startswith(head)
    assert line.endswith(tail)
    assert bool(mark) == (len(line) > limit)


def test_long_names_take_three_lines_at_most() -> None:
    lines = wrap("n02085620-rather_long_name_of_a breed of dogs that nobody has heard of", 24)
    assert lines.count("\n") <= 2
    assert max(map(len, lines.split("\n"))) <= 24


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float16"])
def test_pixels_of_any_kind_are_rounded_and_cut_off(kind: str) -> None:
    given_values = np.array([0, 1.4, 1.6, 255]).astype(kind)
    images = np.broadcast_to(given_values[:, None, None, None], (4, 2, 2, 3))
    expected = np.rint(given_values.astype(float))
    assert np.array_equal(as_pixels(images)[:, 0, 0, 0], expected)


def test_pixels_that_are_no_pixels() -> None:
    images = np.array([np.nan, -3.0, 1e9, -np.inf])[:, None, None, None] * np.ones((1, 1, 1, 3))
    assert as_pixels(images)[:, 0, 0, 0].tolist() == [0, 0, 255, 0]
