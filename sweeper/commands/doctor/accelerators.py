"""What the checks of TensorFlow mean: devices, number formats, speed."""

import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from sweeper.commands.doctor.apart import Failed
from sweeper.commands.doctor.doctor_report import Line, State
from sweeper.commands.doctor.machine import gb
from sweeper.commands.doctor.software import installed
from sweeper.config import Recipe

_GROUP = "devices"
_HALF = 0.02
"""Relative error that bfloat16 may have: it has 8 bits of precision."""
_SINGLE = 1e-3
_FASTER = 1.1
_BUSY = 1.5
_CUDA = "install TensorFlow's CUDA libraries: in the checkout .venv/bin/pip install -e '.[cuda]'"
_DRIVER = "see that NVIDIA's driver works: nvidia-smi must list the GPU"
_REASON = re.compile(r"^.*(?:cuInit|dlopen|CUDA driver).*$", re.MULTILINE)


def of_cpu(cores: int, load: float, cpuinfo: Path = Path("/proc/cpuinfo")) -> Line:
    """The line of the processor.

    Args:
        cores: how many of it may be used.
        load: how many programs computed in the last minute.
        cpuinfo: what Linux says of it.
    """
    try:
        named = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        named = None
    found = f"{named[1] if named else 'of unknown model'}, {cores} usable cores"
    if load <= _BUSY * cores:
        return Line(_GROUP, "CPU", found)
    advice = "other programs compute too: the speeds here are less than the machine's"
    return Line(_GROUP, "CPU", f"{found}, load {load:.1f}", State.WARNING, advice)


def of_gpus(
    seen: Any, listed: Sequence[str], files: Sequence[str], chosen: str | None, log: str
) -> Iterator[Line]:
    """Lines of the GPUs.

    Args:
        seen: from :func:`~sweeper.commands.doctor.probes.devices`.
        listed: CUDA devices by ``CUDA_VISIBLE_DEVICES`` or nvidia-smi.
        files: device files of NVIDIA's driver.
        chosen: ``CUDA_VISIBLE_DEVICES``.
        log: what TensorFlow wrote.
    """
    if isinstance(seen, Failed):
        yield Line(_GROUP, "TensorFlow", "does not start", State.BROKEN, seen.reason)
        return
    for number, gpu in enumerate(seen["gpus"]):
        memory, capability = gb(gpu["memory"]), gpu["capability"]
        found = f"{gpu['name']}, {memory} for TensorFlow, compute capability {capability}"
        yield Line(_GROUP, f"GPU {number}", found)
    count = len(seen["gpus"])
    hidden = chosen is not None and not listed
    if hidden and files:
        advice = "unset it to train on the GPU"
        yield Line(_GROUP, "GPU", f"hidden by CUDA_VISIBLE_DEVICES={chosen}", State.WARNING, advice)
    elif count < len(listed) or (files and not count):
        there = ", ".join(listed or files)
        found = f"{there} in this machine, TensorFlow sees {count or 'none'}"
        yield Line(_GROUP, "GPU", found, State.BROKEN, _unseen(seen["cuda"], log))
    elif not count:
        yield Line(_GROUP, "GPU", "none")


def of_xla(kind: str, found: Any) -> Iterator[Line]:
    """The line of XLA on one kind of device, from :func:`~sweeper.commands.doctor.probes.xla`."""
    name, advice = f"XLA on {kind}", "train with jit_compile=false"
    if isinstance(found, Failed):
        yield Line(_GROUP, name, "does not compile", State.BROKEN, f"{found.reason}; {advice}")
    elif found is not None and not found < _SINGLE:
        text = f"gives wrong numbers: relative error {found:.1g}"
        yield Line(_GROUP, name, text, State.BROKEN, advice)
    elif found is not None:
        yield Line(_GROUP, name, f"compiles, relative error {found:.1g}")


def of_bfloat16(found: Any, step: Any, precision: str) -> Line:
    """The line of bfloat16.

    Args:
        found: from :func:`~sweeper.commands.doctor.probes.bfloat16`.
        step: from :func:`~sweeper.commands.doctor.probes.mixed_step`.
        precision: of the recipe.
    """
    if isinstance(found, Failed):
        return Line(_GROUP, "bfloat16", "does not run", State.BROKEN, found.reason)
    text = f"a product of matrices at {found['ratio']:.2g} times the speed of float32"
    if not found["error"] < _HALF:
        text = f"gives wrong numbers: relative error {found['error']:.1g}"
        return Line(_GROUP, "bfloat16", text, State.BROKEN, "train with precision=float32")
    if isinstance(step, Failed):
        text += ", a training step does not run"
        state = State.BROKEN if precision == "mixed_bfloat16" else State.WARNING
        return Line(_GROUP, "bfloat16", text, state, step.reason)
    text += f", a training step at {step:.2g} times"
    if step > _FASTER:
        return Line(
            _GROUP, "bfloat16", text, State.OK, "precision=mixed_bfloat16 helps this recipe"
        )
    state = State.WARNING if precision == "mixed_bfloat16" else State.OK
    return Line(_GROUP, "bfloat16", text, state, "precision=float32 is better for this recipe")


def of_step(speed: Any, recipe: Recipe, group: str) -> Line:
    """The line of training steps, from :func:`~sweeper.commands.doctor.probes.step`."""
    what = f"{recipe.backbone.name} at {recipe.image_size} px, batches of {recipe.batch_size}"
    if isinstance(speed, Failed):
        advice = f"{speed.reason}; where memory ran out lower batch_size or image_size"
        return Line(group, "training step", what, State.BROKEN, advice)
    text = f"{what}: {speed:,.0f} images/s, {1000 / speed:,.1f} s an epoch for every 1,000 images"
    return Line(group, "training step", text)


def _unseen(cuda: bool, log: str) -> str:
    """What to do where TensorFlow does not see a GPU."""
    if not cuda:
        return f"this TensorFlow is built without CUDA; {_CUDA}"
    if any(installed(name) is None for name in _cuda_packages()):
        return _CUDA
    reason = _REASON.search(log)
    return f"{_DRIVER}; TensorFlow reports: {reason[0].strip()}" if reason else _DRIVER


def _cuda_packages() -> list[str]:
    """Packages of CUDA's libraries that TensorFlow asks for."""
    try:
        texts = metadata.requires("tensorflow") or []
    except metadata.PackageNotFoundError:
        return []
    required = map(Requirement, texts)
    extra = {"extra": "and-cuda"}
    return [
        one.name
        for one in required
        if one.marker and one.marker.evaluate(extra) and not one.marker.evaluate({"extra": ""})
    ]
