import numpy as np
from sklearn.datasets import load_digits

from sweeper.config import Digits
from sweeper.data.sources import loading

DIGITS = Digits(source="digits", validation_fraction=0.2, test_fraction=0.2, split_seed=0)


def test_digits_are_the_originals_spread_over_a_byte():
    loading.prepare(DIGITS)
    source = loading.load(DIGITS)
    assert source.class_names == tuple("0123456789")
    assert (len(source.train), len(source.test)) == (1438, 359)

    original = load_digits()
    np.testing.assert_array_equal(source.test.labels, original.target[source.test.indices])
    raw = np.stack(list(source.test.raw().as_numpy_iterator()))
    images = source.test.decode(raw)
    assert images.shape == (359, 8, 8, 3)
    assert images.dtype == np.uint8
    assert images.max() == 255
    for channel in range(3):
        restored = images[..., channel] * (16 / 255)
        assert np.abs(restored - original.images[source.test.indices]).max() < 0.05
