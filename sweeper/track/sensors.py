"""What a machine and this process are busy with, by the names of MLflow's own system metrics."""

import os
from collections.abc import Mapping
from typing import Any, Protocol

_MB = 1e6


class Sensor(Protocol):
    """Something that is measured again and again."""

    def read(self) -> Mapping[str, float]:
        """Figures by name; shares are of the time since the last reading."""
        ...


def sensors() -> list[Sensor]:
    """Those that this machine has."""
    found: list[Sensor] = [Processor()]
    try:
        import pynvml  # of the extra cuda

        found.append(Gpus(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES")))
    except Exception:  # no such package, no driver, no GPU: each has an error of its own
        pass
    return found


class Processor:
    """Processors and memory: of the machine, as MLflow has them, and of this process.

    ``process_cpu_utilization_percentage`` is of one processor: 200 is two of them.
    """

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self.read()  # the first reading has no time behind it

    def read(self) -> dict[str, float]:
        """See :class:`Sensor`."""
        memory = self._psutil.virtual_memory()
        return {
            "cpu_utilization_percentage": self._psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / _MB,
            "system_memory_usage_percentage": memory.used / memory.total * 100,
            "process_cpu_utilization_percentage": self._process.cpu_percent(),
            "process_memory_usage_megabytes": self._process.memory_info().rss / _MB,
        }


class Gpus:
    """The GPUs that ``visible`` names, by the numbers that nvidia-smi and MLflow give them.

    Args:
        nvml: the module pynvml, or one that does the same.
        visible: value of ``CUDA_VISIBLE_DEVICES``; None for all.
    """

    def __init__(self, nvml: Any, visible: str | None) -> None:
        self._nvml = nvml
        nvml.nvmlInit()
        every = {
            str(index): nvml.nvmlDeviceGetHandleByIndex(index)
            for index in range(nvml.nvmlDeviceGetCount())
        }
        words = list(every) if visible is None else [word.strip() for word in visible.split(",")]
        uuids = tuple(word for word in words if word.startswith("GPU-"))
        self._handles = {
            index: handle
            for index, handle in every.items()
            if index in words or (uuids and nvml.nvmlDeviceGetUUID(handle).startswith(uuids))
        }

    def read(self) -> dict[str, float]:
        """See :class:`Sensor`. What a GPU does not tell is left out."""
        found: dict[str, float] = {}
        for index, handle in self._handles.items():
            for figures in (self._memory, self._utilization, self._power):
                try:
                    read = figures(handle)
                except self._nvml.NVMLError:
                    continue
                found |= {f"gpu_{index}_{name}": float(value) for name, value in read.items()}
        return found

    def _memory(self, handle: Any) -> dict[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "memory_usage_megabytes": memory.used / _MB,
            "memory_usage_percentage": memory.used / memory.total * 100,
        }

    def _utilization(self, handle: Any) -> dict[str, float]:
        return {"utilization_percentage": self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu}

    def _power(self, handle: Any) -> dict[str, float]:
        watts = self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
        return {"power_usage_watts": watts, "power_usage_percentage": watts / limit * 100}
