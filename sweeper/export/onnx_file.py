"""ONNX files, which tf2onnx makes of a LiteRT file.

Keras' own way to ONNX makes inputs of constant tensors (those that EfficientNet normalizes by), and
has no operator for the grouped convolutions and the GELU of ConvNeXt. LiteRT's converter
has folded the former and knows the latter.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.export import litert
from sweeper.saved.classifier import SavedClassifier

Images = NDArray[np.float32]

INPUT, OUTPUT = "image", "probabilities"


def write(classifier: SavedClassifier, path: Path, images: Images) -> None:
    """Write it with the weights as they are, for batches of any size."""
    import onnx
    import tf2onnx

    with tempfile.TemporaryDirectory() as folder:
        float32 = Path(folder) / "model.tflite"
        litert.write(classifier, float32, images)
        model, _ = tf2onnx.convert.from_tflite(
            str(float32), custom_op_handlers={"TFL_GELU": (_gelu, [])}
        )
    graph = model.graph
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    for value in (graph.input[0], graph.output[0]):
        value.name = names[value.name]
    for node in graph.node:
        for sides in (node.input, node.output):
            sides[:] = [names.get(name, name) for name in sides]
    onnx.save(model, path)


def open_file(path: Path) -> Callable[[Images], Images]:
    """The network in the file at ``path``, as ONNX Runtime runs it on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Images) -> Images:
        found: Images
        (found,) = session.run([OUTPUT], {INPUT: images})
        return found

    return run


def _gelu(context: Any, node: Any, *_: Any) -> None:
    """Replace LiteRT's GELU, exact or by tanh; ONNX has it from opset 20 on, tf2onnx ends at 18.

    Exact: ``x (1 + erf(x / sqrt 2)) / 2``; by tanh, as Hendrycks and Gimpel (2016) have it:
    ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2``.
    """
    from tf2onnx.utils import make_name

    def constant(value: float) -> Any:
        return context.make_const(make_name("gelu"), np.array(value, np.float32)).output[0]

    def computed(operator: str, *inputs: Any) -> Any:
        return context.make_node(operator, list(inputs)).output[0]

    (x,) = node.input
    if node.get_attr_value("approximate"):
        cube = computed("Mul", x, computed("Mul", x, x))
        inner = computed("Add", x, computed("Mul", cube, constant(0.044715)))
        bent = computed("Tanh", computed("Mul", inner, constant((2 / np.pi) ** 0.5)))
    else:
        bent = computed("Erf", computed("Mul", x, constant(2**-0.5)))
    half = computed("Mul", x, constant(0.5))
    context.replace_all_inputs(
        node.output[0], computed("Mul", half, computed("Add", bent, constant(1)))
    )
    context.remove_node(node.name)
