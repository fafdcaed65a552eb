"""LiteRT (TensorFlow Lite): ``.tflite`` files, in float32, half precision and 8 bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.export.float32 import in_float32
from sweeper.saved.classifier import SavedClassifier

Images = NDArray[np.float32]


def write(
    classifier: SavedClassifier, path: Path, images: Images, precision: str = "float32"
) -> None:
    """Write it; whatever the precision of its weights, it takes and gives float32.

    Args:
        classifier: what is written.
        path: ends with ``.tflite``.
        images: ``[n, side, side, 3]``, which give the ranges of activations of 8 bits.
        precision: of the weights: ``float32`` as they are, ``float16``, or ``int8``, which rounds
            activations as well.
    """
    # else it writes operations that only TensorFlow's own build of LiteRT runs
    settings: dict[str, Any] = {
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    }
    if precision != "float32":
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        settings["target_spec"] |= {"supported_types": [tf.float16]}
    if precision == "int8":
        settings["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}
        settings["representative_dataset"] = lambda: ([one[np.newaxis]] for one in images)
    in_float32(classifier.network).export(path, format="litert", verbose=False, **settings)


def open_file(path: Path) -> Callable[[Images], Images]:
    """The network in the file at ``path``, as LiteRT runs it on the CPU."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=1).get_signature_runner()
    (name,) = runner.get_input_details()

    def run(images: Images) -> Images:
        (found,) = runner(**{name: images}).values()
        result: Images = found
        return result

    return run
