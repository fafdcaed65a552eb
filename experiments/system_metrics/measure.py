"""What it costs a trial to record how busy its machine is.

``python experiments/system_metrics/measure.py`` prints the tables of the README (10 minutes on two
slow cores): the sampling itself, then whole trials with and without it, in turn.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from hydra import compose, initialize_config_dir

from sweeper.app.recorded import train
from sweeper.config import Recipe
from sweeper.paths import conf_dir
from sweeper.records import UNOWNED
from sweeper.study_folder import MlflowPaths, TrialPaths
from sweeper.track.journal import Journal
from sweeper.track.system_metrics import system_metrics
from sweeper.validation import parse

TRIAL = (
    "dataset=digits",
    "image_size=48",
    "phases.frozen.epochs=10",
    "phases.unfrozen.epochs=4",
    "freeze.unfreeze_blocks=2",
    "cache.views=1",
    "checkpoint_epochs=null",
)
"""Some 10 s: nearly all of it training."""
INTERVALS: Sequence[float | None] = (None, 10, 1)
SAMPLES = 2000


def sampled() -> list[float]:
    """Seconds of one processor that each of some samples takes, the write into the journal too."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(MlflowPaths(Path(folder)))
        enough, clock = threading.Event(), [0.0]

        def record(metrics: object, step: int) -> None:
            journal.log_metrics(metrics, step)  # type: ignore[arg-type]
            now = time.thread_time()
            seconds.append(now - clock[0])
            clock[0] = now
            if step >= SAMPLES:
                enough.set()

        with system_metrics(record, 1e-4):
            enough.wait()
    return seconds[1:-1]  # the first has the imports in it


def recipe(interval: float | None) -> Recipe:
    """What is trained, with a sample every ``interval`` seconds."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        wanted = "null" if interval is None else interval
        words = [*TRIAL, f"tracking.system_metrics_seconds={wanted}"]
        return parse(compose("config", overrides=words))


def one_trial(interval: float | None) -> tuple[float, float]:
    """Seconds, and seconds of processors, that a trial takes."""

    def silent(*_arguments: object, **_named: object) -> None:
        pass

    with tempfile.TemporaryDirectory() as folder:
        wall, processors = time.perf_counter(), time.process_time()
        train(recipe(interval), TrialPaths(Path(folder)), silent, UNOWNED, False)
        return time.perf_counter() - wall, time.process_time() - processors


def spelled(values: Sequence[float], shown: Callable[[float], str]) -> str:
    """Median, and where the middle half lies."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{shown(middle)} ({shown(low)} to {shown(high)})"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    each = sampled()
    print(f"a sample: {spelled(each, lambda value: f'{value * 1e6:.0f} us')} of one processor")
    for interval in (10, 1):
        print(f"every {interval} s: {statistics.median(each) / interval:.5%} of one processor")
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    one_trial(None)  # fills the cache, and traces what is traced once
    taken: dict[float | None, list[tuple[float, float]]] = {one: [] for one in INTERVALS}
    for number in range(rounds):
        # another order each time, so that no one always comes first
        for place in range(len(INTERVALS)):
            interval = INTERVALS[(place + number) % len(INTERVALS)]
            taken[interval].append(one_trial(interval))
    print("| every | s | ratio of s | ratio of processor s |")
    print("|---|---|---|---|")
    for interval in INTERVALS:
        pairs = list(zip(taken[interval], taken[None], strict=True))
        wall, processors = ([one[i] / none[i] for one, none in pairs] for i in (0, 1))
        seconds = spelled([one[0] for one in taken[interval]], lambda value: f"{value:.2f}")
        ratios = [spelled(one, lambda value: f"{value:.3f}") for one in (wall, processors)]
        print(f"| {interval or 'never'} | {seconds} | {ratios[0]} | {ratios[1]} |")


if __name__ == "__main__":
    main()
