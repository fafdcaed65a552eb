"""What a trained model costs: its size, its arithmetic, its time, and the memory it took."""

import contextlib
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from sweeper.data.batches import Batches

_REPEATS = 9
_MEGABYTE = 10**6


def measure(model: Any, examples: Batches, objectives: Collection[str]) -> dict[str, float]:
    """Every cost of an inference ``model`` by its name as an objective.

    ``milliseconds_per_image`` takes ten predictions of a batch of ``examples``, and is there only
    when it is among ``objectives``.
    """
    costs: dict[str, float] = {
        "parameters": count_parameters(model),
        "trainable_parameters": count_trainable(model),
        "flops": flops(model),
        "peak_memory_mb": peak_memory_mb(),  # before the timing, which trains nothing
    }
    if "milliseconds_per_image" in objectives:
        costs["milliseconds_per_image"] = milliseconds_per_image(compiled(model), examples)
    return costs


def count_parameters(model: Any) -> int:
    """Numbers in all weights of ``model``, frozen ones and statistics included."""
    return int(model.count_params())


def count_trainable(model: Any) -> int:
    """Numbers in the weights of ``model`` that train, as its layers are set now."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def flops(model: Any) -> int:
    """Operations of a prediction for one image in the convolutions and dense layers of ``model``.

    A multiplication and the addition that follows count as 2, so it is twice the "multiply-adds" of
    the papers (MobileNetV2, 224 px: 300 million; EfficientNetB0: 390 million). What works on each
    number by itself (activations, normalization, pooling) is left out, as they leave it out.

    TensorFlow's profiler counts part of that, and misses what XLA compiles, such as the grouped
    convolutions of ConvNeXt.

    Args:
        model: of functional parts, with an input of fixed size.

    Raises:
        TypeError: a layer with a matrix of weights is of none of the known kinds.
    """
    return sum(_flops_of(layer) for layer in _leaves(model))


# each number of their kernels meets each position of the output once
_PRODUCTS = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _flops_of(layer: Any) -> int:
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if not kernels:
        return 0
    if not isinstance(layer, _PRODUCTS) or isinstance(layer, keras.layers.Conv2DTranspose):
        raise TypeError(
            f"the operations of {layer.name}, a {type(layer).__name__}, cannot be counted"
        )
    numbers: int = sum(math.prod(kernel.shape) for kernel in kernels)
    positions: int = math.prod(layer.output.shape[1:-1])
    return 2 * positions * numbers


def peak_memory_mb() -> float:
    """The most memory that was in use at once since :func:`reset_peak_memory`, in 10^6 bytes.

    On a GPU what TensorFlow gave out on it. On a CPU what the process held in memory, programs and
    data included, so that networks are told apart by differences, not by ratios.
    """
    if tf.config.list_logical_devices("GPU"):
        return float(tf.config.experimental.get_memory_info("GPU:0")["peak"] / _MEGABYTE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / _MEGABYTE


def reset_peak_memory() -> None:
    """Let the peak begin at what is in use now; on a CPU only Linux can."""
    if tf.config.list_logical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc


def compiled(model: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """``model`` in inference mode as one graph, for batches of any size."""
    (images,) = model.inputs
    run: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda batch: model(batch, training=False),
        autograph=False,
        input_signature=[tf.TensorSpec(images.shape, images.dtype)],
    )
    return run


def milliseconds_per_image(predict: Callable[[tf.Tensor], tf.Tensor], examples: Batches) -> float:
    """Median time of a prediction, of a whole batch at once on the device that is there.

    Trials that share a device slow each other down: compare figures of one trial at a time.
    """
    images, _ = next(iter(examples.dataset))
    predict(images)  # builds the graph
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        predict(images).numpy()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds) / len(images)
