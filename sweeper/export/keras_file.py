"""The ``.keras`` file itself, with its card."""

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.models.inference import compiled
from sweeper.saved.classifier import SavedClassifier

Images = NDArray[np.float32]


def write(classifier: SavedClassifier, path: Path, _images: Images) -> None:
    """Copy it."""
    shutil.copyfile(classifier.file, path)


def open_file(path: Path) -> Callable[[Images], Images]:
    """The network in the file at ``path``, in Keras' safe mode."""
    predict = compiled(keras.saving.load_model(path, compile=False, safe_mode=True))
    return lambda images: np.asarray(predict(tf.constant(images)))
