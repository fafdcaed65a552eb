"""What it costs a trial to record how busy its machine is.

``python experiments/system_metrics/measure.py`` prints the figures of the README (4 minutes on two
slow cores): the sampling itself, then training steps with and without it, in turn. Samples are
taken far more often than in a trial, since the cost of one in ten seconds is less than any machine
can tell from its noise.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.journal import Journal
from sweeper.track.system_metrics import system_metrics

SAMPLES = 2000
INTERVAL = 10.0
"""Seconds between two samples of a trial, as conf/config.yaml has it."""
OFTEN = 0.02
BLOCK_SECONDS = 1.0
"""Roughly; a block is a fixed number of steps."""


def sampled() -> list[float]:
    """Seconds of one processor that each of some samples takes, the write into the journal too."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(MlflowPaths(Path(folder)))
        enough, clock = threading.Event(), [0.0]

        def record(metrics: Mapping[str, float], step: int) -> None:
            journal.log_metrics(metrics, step)
            now = time.thread_time()
            seconds.append(now - clock[0])
            clock[0] = now
            if step >= SAMPLES:
                enough.set()

        with system_metrics(record, 1e-4):
            enough.wait()
    return seconds[1:-1]  # the first has the imports in it


def training() -> Callable[[int], None]:
    """A function that takes so many steps of a small network that trains."""
    layers = [
        keras.layers.Input((32, 32, 3)),
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.Conv2D(64, 3, strides=2, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    random = np.random.default_rng(0)
    images = random.random((32, 32, 32, 3), np.float32)
    labels = random.integers(0, 10, 32)

    def steps(count: int) -> None:
        for _ in range(count):
            model.train_on_batch(images, labels)

    steps(50)
    return steps


def block(steps: Callable[[], None], interval: float | None) -> tuple[float, float]:
    """Seconds, and seconds of processors, that ``steps`` take."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(MlflowPaths(Path(folder)))
        with system_metrics(journal.log_metrics, interval):
            wall, processors = time.perf_counter(), time.process_time()
            steps()
            return time.perf_counter() - wall, time.process_time() - processors


def spelled(values: Sequence[float], shown: Callable[[float], str]) -> str:
    """Median, and where the middle half lies."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{shown(middle)} ({shown(low)} to {shown(high)})"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100)
    pairs = parser.parse_args().pairs
    each = sampled()
    print(f"a sample: {spelled(each, lambda value: f'{value * 1e6:.0f} us')} of one processor")
    print(f"every {INTERVAL:g} s: {statistics.median(each) / INTERVAL:.4%} of one processor")
    steps = training()
    began = time.perf_counter()
    steps(100)
    count = max(1, int(100 * BLOCK_SECONDS / (time.perf_counter() - began)))
    ratios: list[tuple[float, float]] = []
    for number in range(pairs):
        order = (None, OFTEN) if number % 2 else (OFTEN, None)  # neither always comes first
        taken = {one: block(lambda: steps(count), one) for one in order}
        wall, processors = (taken[OFTEN][i] / taken[None][i] for i in (0, 1))
        ratios.append((wall, processors))
    for name, values in zip(("s", "processor s"), zip(*ratios, strict=True), strict=True):
        print(f"{name}, every {OFTEN} s / never: {spelled(values, lambda v: f'{v:.3f}')}")
        scaled = (statistics.median(values) - 1) * OFTEN / INTERVAL
        print(f"{name}, every {INTERVAL:g} s, from that: {scaled:.4%}")


if __name__ == "__main__":
    main()
