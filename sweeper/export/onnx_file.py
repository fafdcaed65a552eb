"""ONNX files, written by way of tf2onnx, which Keras calls."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.export.extra import needs_extra
from sweeper.export.float32 import in_float32
from sweeper.saved.classifier import SavedClassifier

Images = NDArray[np.float32]


def write(classifier: SavedClassifier, path: Path, _images: Images) -> None:
    """Write it with the weights as they are, for batches of any size."""
    with needs_extra("export"):
        import onnx  # noqa: F401
        import tf2onnx  # noqa: F401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how Keras 3.15 makes tf2onnx 1.17 fit NumPy 2
        in_float32(classifier.network).export(path, format="onnx", verbose=False)


def open_file(path: Path) -> Callable[[Images], Images]:
    """The network in the file at ``path``, as ONNX Runtime runs it on the CPU."""
    with needs_extra("export"):
        import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(images: Images) -> Images:
        found: Images
        (found,) = session.run(None, {given.name: images})
        return found

    return run
