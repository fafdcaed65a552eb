"""TensorFlow's SavedModel: a folder, with one signature for batches of any size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.saved.classifier import SavedClassifier

Images = NDArray[np.float32]


def write(classifier: SavedClassifier, path: Path, _images: Images) -> None:
    """Write it with the endpoint ``serve``."""
    classifier.network.export(path, verbose=False)


def open_file(path: Path) -> Callable[[Images], Images]:
    """The network in the folder at ``path``."""
    loaded = tf.saved_model.load(path)
    return lambda images: np.asarray(loaded.serve(tf.constant(images)))
