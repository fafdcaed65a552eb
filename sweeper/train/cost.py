"""What a trained model costs: its size, its arithmetic, its time, and the memory it took."""

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tensorflow as tf

from sweeper.data.batches import Batches
from sweeper.models.inference import compiled
from sweeper.models.size import Size

_REPEATS = 9
_MEGABYTE = 10**6


def measure(
    size: Size, build: Callable[[], Any], examples: Batches, objectives: Collection[str]
) -> dict[str, float]:
    """Every cost of a network by its name as an objective.

    ``milliseconds_per_image`` takes ten predictions of a batch of ``examples``, and is there only
    when it is among ``objectives``: else nothing is built.

    Args:
        size: of the network.
        build: gives it as an inference model.
        examples: images to predict.
        objectives: what is asked for.
    """
    costs = asdict(size) | {"peak_memory_mb": peak_memory_mb()}  # before timing: it trains nothing
    if "milliseconds_per_image" in objectives:
        costs["milliseconds_per_image"] = milliseconds_per_image(compiled(build()), examples)
    return costs


def peak_memory_mb() -> float:
    """The most memory that was in use at once since :func:`reset_peak_memory`, in 10^6 bytes.

    On a GPU what TensorFlow gave out on it. On a CPU what the process held in memory, programs and
    data included, so that networks are compared by differences, not by ratios.
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
