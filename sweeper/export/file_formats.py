"""Every format that ``sweeper export`` writes, and how near to the original its files must be.

A format has a module, which is imported when it is needed, with two functions: ``write``, from a
classifier, a path and images to calibrate by to a file; and ``open_file``, from a path to what
runs the file as a program without sweeper does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sweeper.errors import MissingInput


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        file: name of the file or folder that is written.
        what: who takes it, for a person.
        bound: by how much a probability may differ from the original's. Of exact formats it is
            what the order of float32 sums can change; of those that round weights or activations it
            says where a file is broken, not rounded. Measured with networks that trained: random
            weights amplify more (ResNet50's gave 1.4e-4 in ONNX).
        module: in this package.
        example: Python that a reader without sweeper runs, from ``pixels`` to ``probabilities``.
        settings: of its ``write``.
        packages: that it imports, of the extra ``[export]``.
    """

    file: str
    what: str
    bound: float
    module: str
    example: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    packages: Sequence[str] = ()

    def write(self, *arguments: Any) -> None:
        """Write a file; see the module's ``write`` for the arguments."""
        self._import().write(*arguments, **self.settings)

    def open_file(self, path: Any) -> Callable[[Any], Any]:
        """Return what runs the file at ``path``."""
        run: Callable[[Any], Any] = self._import().open_file(path)
        return run

    def _import(self) -> Any:
        return import_module(f"sweeper.export.{self.module}")


_LITERT = ("ai_edge_litert",)
_OF_LITERT = """from ai_edge_litert.interpreter import Interpreter

network = Interpreter("{file}").get_signature_runner()
(name,) = network.get_input_details()
(probabilities,) = network(**{{name: pixels}}).values()"""

FORMATS: Mapping[str, Format] = {
    "keras": Format(
        "model.keras",
        "Keras 3, on any backend",
        1e-5,
        "keras_file",
        'import keras\n\nprobabilities = keras.saving.load_model("{file}").predict(pixels)',
    ),
    "savedmodel": Format(
        "savedmodel",
        "TensorFlow, TF Serving",
        1e-5,
        "savedmodel",
        "import tensorflow as tf\n\n"
        'network = tf.saved_model.load("{file}")\nprobabilities = network.serve(pixels).numpy()',
    ),
    "tflite": Format(
        "model.tflite",
        "LiteRT (TensorFlow Lite), float32",
        1e-4,
        "litert",
        _OF_LITERT,
        packages=_LITERT,
    ),
    "tflite-float16": Format(
        "model_float16.tflite",
        "LiteRT, weights in half precision: half the size",
        0.05,
        "litert",
        _OF_LITERT,
        {"precision": "float16"},
        _LITERT,
    ),
    "tflite-int8": Format(
        "model_int8.tflite",
        "LiteRT, weights and activations of 8 bits: a quarter of the size",
        0.5,
        "litert",
        _OF_LITERT,
        {"precision": "int8"},
        _LITERT,
    ),
    "onnx": Format(
        "model.onnx",
        "ONNX Runtime, OpenVINO, TensorRT and others",
        1e-4,
        "onnx_file",
        "import onnxruntime\n\n"
        'network = onnxruntime.InferenceSession("{file}")\n'
        "(probabilities,) = network.run(None, {{network.get_inputs()[0].name: pixels}})",
        packages=("onnx", "onnxruntime", "tf2onnx"),
    ),
}


def require_packages(formats: Sequence[str]) -> None:
    """Check that what ``formats`` import is installed, without importing it.

    Raises:
        MissingInput: some of it is not; names all of that.
    """
    needed = {package: name for name in formats for package in FORMATS[name].packages}
    missing = {package: name for package, name in needed.items() if find_spec(package) is None}
    if missing:
        raise MissingInput(
            f"{', '.join(sorted(set(missing.values())))} cannot be written without "
            f"{', '.join(sorted(missing))}: in the checkout, pip install -e '.[export]'"
        )
