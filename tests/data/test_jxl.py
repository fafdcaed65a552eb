"""Headers that libjxl wrote, and damaged ones."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from sweeper.data.image_reading.decoding import Decoder
from sweeper.data.image_reading.jxl import size

RED = {
    (1, 1): "ff0a001010090800010034004b188b15c24996e501c4389a0a",
    (8, 8): "ff0a4140240800010058004b188b1500d48831c6bb18ef00a2c0d01b2c0761212a",
    (60, 40): "ff0a0941240800010060004b188b1500d48831c6dd18f70022c020923a3f7820e0222a",
    (12, 10): (
        "0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c200000002c6a786c63ff0a482010"
        "090800010060004b188b1500d48831c6cc18f300e2c03401c04426078a242a"
    ),
}
"""Whole pictures of the colour (200, 30, 40), the last in boxes."""
STARTS = {
    (512, 256): "ff0aff41240802010044000000c0099c",
    (1001, 1000): "ff0a3a1f087d8048080201001c000000",
    (1920, 1080): "ff0aba210591080201001c000000800d",
    (3, 9000): "ff0a3c1901080091080201001c000000",
    # from a JPEG of 64 x 32, in parts
    (64, 32): (
        "0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000126a786c7000000000"
        "ff0ac72d1013000001e36a627264c070db008220"
    ),
}


@pytest.mark.parametrize(("sides", "data"), [*RED.items(), *STARTS.items()])
def test_the_size_stands_in_the_header(sides, data):
    assert size(bytes.fromhex(data)) == sides


@pytest.mark.parametrize(("sides", "data"), RED.items())
def test_one_pixel_too_many_is_refused_before_it_is_decoded(sides, data):
    width, height = sides
    image = Decoder(width * height)(tf.constant(bytes.fromhex(data)))
    assert image.shape == (height, width, 3)
    assert tuple(image[0, 0].numpy()) == (200, 30, 40)
    with pytest.raises(ValueError, match=f"{width} x {height} pixels are more than"):
        Decoder(width * height - 1)(tf.constant(bytes.fromhex(data)))


@pytest.mark.parametrize("sides", STARTS)
def test_a_picture_that_is_cut_off_is_refused(sides):
    with pytest.raises(tf.errors.InvalidArgumentError, match="JXL"):
        Decoder(10**7)(tf.constant(bytes.fromhex(STARTS[sides])))


@given(
    start=st.sampled_from([*RED.values(), *STARTS.values()]).map(bytes.fromhex),
    cut=st.integers(0, 80),
    rest=st.binary(max_size=40),
)
def test_other_bytes_give_a_size_or_a_fault(start, cut, rest):
    try:
        width, height = size(start[:cut] + rest)
    except ValueError:
        return
    assert width > 0
    assert height > 0
