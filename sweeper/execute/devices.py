"""Which trial runs where: the devices and processors of a machine, divided among the slots."""

import os
import subprocess
from collections.abc import Sequence
from itertools import pairwise, takewhile

from sweeper.errors import ConfigError
from sweeper.execute.executor import Asked, Placement

THREADS = "TF_NUM_INTRAOP_THREADS"
_UUID = ("GPU-", "MIG-")
_NVIDIA_SMI = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
_NVIDIA_SMI_SECONDS = 30
"""A driver that must be woken takes seconds; one that is broken may never answer."""


def visible_devices() -> tuple[str, ...]:
    """CUDA devices that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    The variable decides where it is set: up to its first entry that is no device, as in CUDA
    ("CUDA Environment Variables" in NVIDIA's programming guide). Else what nvidia-smi lists.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(takewhile(_is_device, (entry.strip() for entry in chosen.split(","))))
    try:
        listed = subprocess.run(
            _NVIDIA_SMI, capture_output=True, text=True, timeout=_NVIDIA_SMI_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(filter(_is_device, map(str.strip, listed.stdout.splitlines())))


def usable_cores() -> tuple[int, ...]:
    """Numbers of the processors that this process may use, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def plan_placements(
    asked: Asked, *, visible: Sequence[str], cores: Sequence[int]
) -> tuple[Placement, ...]:
    """Give each slot of a study its placement.

    Args:
        asked: ``devices`` ``auto`` takes all visible CUDA devices, or the CPU where there is none;
            a list names some of them: integers count within ``visible``, strings are ids or UUIDs.
            ``trials_per_device`` is how many trials may share one device at a time; None leaves it
            to ``n_jobs``, or to one. ``n_jobs`` is the number of slots; None and -1 take as many as
            the devices have room for; without ``trials_per_device``, -1 on the CPU is one for each
            core. ``threads`` are those of TensorFlow's operations in each trial on the CPU; None
            for one a core of ``cores``, however many slots share them.
        visible: see :func:`visible_devices`.
        cores: see :func:`usable_cores`.

    Returns:
        One placement for each slot. Neighbours in the tuple are on different devices, as far as
        there are any.

    Raises:
        ConfigError: a device is not there, a number makes no sense, or ``n_jobs`` trials do not
            fit on the devices.
    """
    gpus, faults = _choose(asked.devices, visible)
    faults += _number_faults(asked)
    if faults:
        raise ConfigError(faults)
    slots = _count_slots(asked, len(gpus), len(cores))
    if gpus:
        return tuple(_gpu(gpus[slot % len(gpus)]) for slot in range(slots))
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if asked.devices == "cpu" else {}
    threads = asked.threads or len(cores)
    if slots == 1:
        own = {} if threads == len(cores) else {THREADS: str(threads)}
        return (Placement(environment={**hidden, **own}),)
    return tuple(_cpu(share, threads, hidden) for share in _divide(cores, slots))


def _number_faults(asked: Asked) -> list[str]:
    faults = []
    if asked.trials_per_device is not None and asked.trials_per_device < 1:
        faults.append(
            f"executor.trials_per_device must be >= 1, got {asked.trials_per_device}; null leaves "
            "it to n_jobs"
        )
    if asked.n_jobs is not None and asked.n_jobs < 1 and asked.n_jobs != -1:
        faults.append(
            f"n_jobs must be >= 1, got {asked.n_jobs}; -1 takes as many slots as the devices have "
            "room for"
        )
    return faults


def _count_slots(asked: Asked, gpus: int, cores: int) -> int:
    n_jobs, each = asked.n_jobs, asked.trials_per_device
    count = max(1, gpus)
    if n_jobs is None or n_jobs == -1:
        alone = cores if n_jobs == -1 and not gpus else 1
        return count * (each or alone)
    if each is None or n_jobs <= count * each:
        return n_jobs
    raise ConfigError(
        [
            f"n_jobs={n_jobs} trials do not fit on {count} "
            f"{'devices' if count > 1 else 'device'} with executor.trials_per_device={each}; lower "
            f"n_jobs to {count * each}, raise trials_per_device to {-(-n_jobs // count)}, or leave "
            "either out"
        ]
    )


def _is_device(entry: str) -> bool:
    return entry.isdecimal() or entry.startswith(_UUID)


def _choose(
    devices: str | Sequence[int | str], visible: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Ids of the CUDA devices that are meant, none for the CPU; and what is wrong."""
    if devices == "cpu":
        return [], []
    if devices == "auto":
        return list(visible), []
    if isinstance(devices, str) or not isinstance(devices, Sequence) or not devices:
        return [], [
            "executor.devices must be auto, cpu or a list of CUDA devices such as [0, 1], "
            f"got {devices!r}"
        ]
    found = [_find(device, visible) for device in devices]
    faults = [
        f"executor.devices names {device!r}, which is not there; visible are: "
        f"{', '.join(visible) or 'none'} (CUDA_VISIBLE_DEVICES, else nvidia-smi); name another, "
        "or use auto or cpu"
        for device, gpu in zip(devices, found, strict=True)
        if gpu is None
    ]
    gpus = [gpu for gpu in found if gpu is not None]
    faults += [
        f"executor.devices names device {gpu} more than once; to run several trials on it, set "
        "executor.trials_per_device"
        for gpu in gpus
        if gpus.count(gpu) > 1
    ]
    return gpus, faults


def _find(device: int | str, visible: Sequence[str]) -> str | None:
    if isinstance(device, int):
        return visible[device] if 0 <= device < len(visible) else None
    if device in visible:
        return device
    if not isinstance(device, str) or not device.startswith(_UUID):
        return None
    # a device known by its number alone may well have this UUID; CUDA takes a UUID's beginning
    if any(known.isdecimal() for known in visible):
        return device
    return next((known for known in visible if known.startswith(device)), None)


def _gpu(device: str) -> Placement:
    return Placement(
        name=f"gpu {device}",
        environment={
            "CUDA_VISIBLE_DEVICES": device,
            # the order in which nvidia-smi counts; CUDA's own puts the fastest first
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            # trials that share a device each take what they need, not all there is
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        },
    )


def _cpu(cores: Sequence[int], threads: int, hidden: dict[str, str]) -> Placement:
    # TensorFlow divides the work of one operation by the number of its threads, and a sum that is
    # divided in another way has other last bits, which training magnifies. So this number is the
    # same for one slot and for many; only the cores that run the threads are divided.
    # The other variables are for libraries that would else count the machine's cores
    share = str(len(cores))
    others = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS"), share)
    environment = {**hidden, **others, THREADS: str(threads)}
    return Placement(environment=environment, cores=frozenset(cores))


def _divide(cores: Sequence[int], slots: int) -> list[Sequence[int]]:
    """Neighbouring cores together, since they share caches; one each, in turn, if there are few."""
    if slots >= len(cores):
        return [[cores[slot % len(cores)]] for slot in range(slots)]
    ends = [len(cores) * slot // slots for slot in range(slots + 1)]
    return [cores[start:end] for start, end in pairwise(ends)]
