"""Numbers in names of runs and values of parameters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.short_numbers import short_number


@given(st.floats(), st.integers(1, 17))
def test_it_reads_back_as_the_number_that_it_rounds(value: float, digits: int) -> None:
    short = float(short_number(value, digits))
    assert short == float(f"{value:.{digits}g}") or (math.isnan(short) and math.isnan(value))
    assert len(short_number(value, digits)) <= len(f"{value:.{digits}g}")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0003, "3e-4"), (1e-5, "1e-5"), (1e30, "1e30"), (0.01, "0.01"), (0.00123, "0.00123")],
)
def test_it_is_as_short_as_it_can_be(value: float, text: str) -> None:
    assert short_number(value, 3) == text
