"""What a trial and its machine are busy with, sampled beside the trial."""

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.journal import Journal
from sweeper.track.sensors import Gpus, Processor, sensors
from sweeper.track.system_metrics import system_metrics

OF_MLFLOW = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
}


class Recorded:
    """Keeps what is recorded; ``enough`` is set after ``count`` samples."""

    def __init__(self, count: int) -> None:
        self.samples: list[tuple[int, Mapping[str, float]]] = []
        self.enough = threading.Event()
        self._count = count

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        self.samples.append((step, metrics))
        if len(self.samples) == self._count:
            self.enough.set()


def test_samples_carry_the_names_that_mlflow_gives_them() -> None:
    recorded = Recorded(3)
    with system_metrics(recorded, 0.01):
        assert recorded.enough.wait(60)
    assert [step for step, _ in recorded.samples] == list(range(len(recorded.samples)))
    for _, metrics in recorded.samples:
        assert set(metrics) >= OF_MLFLOW
        assert 0 < metrics["system/system_memory_usage_percentage"] <= 100
        assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100
        assert metrics["system/process_memory_usage_megabytes"] > 10


def test_mlflow_has_these_names_too() -> None:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

    monitor = CPUMonitor()
    monitor.collect_metrics()
    ours = Processor().read()
    assert set(monitor.aggregate_metrics()) <= set(ours)


def test_a_short_trial_has_one_sample_and_a_trial_that_wants_none_has_none() -> None:
    for seconds, samples in ((3600, 1), (None, 0)):
        recorded = Recorded(1)
        with system_metrics(recorded, seconds):
            pass
        assert len(recorded.samples) == samples
    assert not [one for one in threading.enumerate() if one.name == "system metrics"]


def test_samples_wait_for_what_the_trial_is_for() -> None:
    recorded, asked, due = Recorded(1), threading.Event(), []

    def is_due() -> bool:
        asked.set()
        return bool(due)

    with system_metrics(recorded, 0.001, is_due):
        assert asked.wait(60)
        assert not recorded.samples
        due.append(True)
        assert recorded.enough.wait(60)
    with system_metrics(recorded, 3600, lambda: False):
        recorded.samples.clear()
    assert [step for step, _ in recorded.samples] == [0]


def test_a_sample_that_fails_is_the_last_and_fails_nothing_else() -> None:
    calls = []

    def full(metrics: Mapping[str, float], step: int) -> None:
        calls.append(step)
        raise OSError("No space left on device")

    with system_metrics(full, 0.001, measured=lambda: [Processor()]):
        (thread,) = [one for one in threading.enumerate() if one.name == "system metrics"]
        thread.join(60)
        assert not thread.is_alive()
    assert calls == [0]


def test_threads_that_write_into_one_journal_lose_no_entry(tmp_path: Any) -> None:
    journal = Journal(MlflowPaths(tmp_path))
    # longer than a page, where a reader may see half of a write
    long = {f"metric {number}": 0.5 for number in range(400)}
    with system_metrics(lambda _, step: journal.log_metrics(long, step), 1e-6):
        for step in range(200):
            journal.log_metrics({"loss": 0.1, **long}, step)
    ours = [one for one in journal.entries() if "loss" in one.content["metrics"]]
    assert [one.content["step"] for one in ours] == list(range(200))
    assert journal.entries()[-1].end == journal.size()


class Nvml:
    """Two GPUs as pynvml tells of them; the second does not tell its power."""

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.nvmlInit = lambda: None
        self.nvmlDeviceGetCount = lambda: 2
        self.nvmlDeviceGetHandleByIndex = lambda index: index
        self.nvmlDeviceGetUUID = lambda handle: f"GPU-{handle}-abcd"
        self.nvmlDeviceGetMemoryInfo = lambda _: SimpleNamespace(used=2e9, total=8e9)
        self.nvmlDeviceGetUtilizationRates = lambda handle: SimpleNamespace(gpu=90 + handle)
        self.nvmlDeviceGetEnforcedPowerLimit = lambda _: 200_000

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        if handle:
            raise self.NVMLError
        return 100_000


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, "01"), ("1", "1"), ("GPU-0-ab", "0"), ("-1", ""), ("", ""), (" 0, 1", "01")],
)
def test_a_trial_has_figures_of_the_gpus_that_it_may_use(visible: str | None, seen: str) -> None:
    found = Gpus(Nvml(), visible).read()
    assert {name.split("_")[1] for name in found} == set(seen)
    for index in seen:
        assert found[f"gpu_{index}_utilization_percentage"] == 90 + int(index)
        assert found[f"gpu_{index}_memory_usage_megabytes"] == 2000
        assert found[f"gpu_{index}_memory_usage_percentage"] == 25
        assert (f"gpu_{index}_power_usage_percentage" in found) == (index == "0")


def test_mlflow_calls_the_figures_of_a_gpu_so_too() -> None:
    import inspect

    from mlflow.system_metrics.metrics import gpu_monitor

    text = inspect.getsource(gpu_monitor.GPUMonitor.collect_metrics)
    for name in Gpus(Nvml(), "0").read():
        assert f"gpu_{{i}}_{name.removeprefix('gpu_0_')}" in text


def test_a_machine_without_gpus_has_its_processors() -> None:
    assert isinstance(sensors()[0], Processor)
