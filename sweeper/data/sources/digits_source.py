"""scikit-learn's handwritten digits: 1,797 grey images of 8x8, in the package, no download."""

import numpy as np
import tensorflow as tf

from sweeper.config import Digits
from sweeper.data.content_hash import hashed
from sweeper.data.examples import Drawn, Examples, Source
from sweeper.data.splits import split_test, subset


def load(dataset: Digits) -> Source:
    """The digits, grey levels 0 to 16 spread over 0 to 255 and repeated on three channels."""
    import sklearn
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    rules = f"digits of scikit-learn {sklearn.__version__}, levels times 255/16"
    names = tuple(str(name) for name in digits.target_names)
    everything = Examples(
        labels=digits.target.astype(np.int64),
        indices=np.arange(len(images)),
        read=lambda indices: tf.data.Dataset.from_tensor_slices(images[indices]),
        decode=lambda image: image,
        size=(8, 8),
        name="digit {}".format,
        class_names=names,
        content=lambda: rules,
        hashes=lambda indices: hashed(tf.data.Dataset.from_tensor_slices(images[indices]), rules),
        batched=True,
    )
    some = subset(everything, dataset.fraction, dataset.split_seed)
    if not dataset.test_fraction:
        return Source(names, some, None)
    train, test = split_test(some, dataset.test_fraction, dataset.split_seed)
    return Source(names, train, test, drawn=Drawn(test, dataset.test_fraction))
