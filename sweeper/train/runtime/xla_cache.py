"""What XLA compiled is kept on the disk, and read by every later trial that compiles the same.

TensorFlow does this itself (``--tf_xla_persistent_cache_directory`` in ``TF_XLA_FLAGS``), safe for
many processes at once, since it writes aside and renames. But a file is right for it whose name is
right, and where it cannot write or read one, training ends (``device_executable_persistor.h`` and
``device_compiler.h`` of TensorFlow 2.21). So programs are kept apart by all that they depend on and
that is not in their names, and only where keeping them was seen to work.
"""

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from sweeper.disk.files import write_aside
from sweeper.paths import xla_dir

log = logging.getLogger(__name__)

FLAG = "--tf_xla_persistent_cache_directory"
_MOST_BYTES = 2 * 10**9
"""Of all programs; one of a training step takes 5 to 50 MB."""
_FREE_BYTES = 10**9
"""On the disk, or nothing is kept."""
_TRIED_SECONDS = 300
_WORKS = "works"
_STEP = """
import tensorflow as tf

@tf.function(jit_compile=True)
def step(images, kernel, weights):
    with tf.GradientTape() as tape:
        tape.watch([kernel, weights])
        features = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME"))
        loss = tf.reduce_mean(tf.square(tf.reduce_mean(features, [1, 2]) @ weights))
    return tape.gradient(loss, [kernel, weights])

step(tf.ones([8, 16, 16, 3]), tf.ones([3, 3, 3, 8]), tf.ones([8, 4]))
"""


def keep_compiled() -> None:
    """Let XLA keep its programs, from now on and in this process.

    TensorFlow reads its flags once, when it first looks for devices or computes anything: call this
    before. Whoever has set the flag in ``TF_XLA_FLAGS`` has their way. Where programs cannot be
    kept, a line of the log says why, and each process compiles for itself.
    """
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if FLAG in flags:
        return
    folder = programs_dir()
    flags = f"{flags} {FLAG}='{folder}'".strip()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(xla_dir())
        reason = _refusal(folder, flags)
    except OSError as error:
        reason = str(error)
    if reason is None:
        os.environ["TF_XLA_FLAGS"] = flags
    else:
        log.warning("what XLA compiles is not kept: %s", reason)


def programs_dir() -> Path:
    """Where programs lie that run here: on this processor and device, under this TensorFlow."""
    parts = (
        version("tensorflow"),
        platform.machine(),
        _read(Path("/proc/cpuinfo"), "flags"),
        os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        _read(Path("/proc/driver/nvidia/version"), ""),
        *sorted(_read(card, "Model") for card in _cards()),
    )
    return xla_dir() / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def sees_gpu() -> bool:
    """Whether there is a CUDA device for this process, as far as is known without TensorFlow."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in {"", "-1"} and any(_cards())


def _cards() -> Iterator[Path]:
    return Path("/proc/driver/nvidia/gpus").glob("*/information")


def _read(file: Path, key: str) -> str:
    """The first line of ``file`` that begins with ``key``, nothing where there is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(key)), "")


def _make_room(folder: Path) -> None:
    """Remove what was read longest ago, until the rest is small enough, and what is damaged."""
    files = [(file, file.stat()) for file in folder.rglob("*.pb*")]
    # a name without content is what a loss of power leaves
    files.sort(key=lambda pair: pair[1].st_size and max(pair[1].st_atime, pair[1].st_mtime))
    excess = sum(found.st_size for _, found in files) - _MOST_BYTES
    for file, found in files:
        if excess > 0 or not found.st_size:
            file.unlink(missing_ok=True)
            excess -= found.st_size


def _refusal(folder: Path, flags: str) -> str | None:
    """Why programs cannot be kept in ``folder``, None where they can."""
    if "'" in str(folder):
        return f"{folder} has a quotation mark in it, which TensorFlow's flags cannot have"
    if shutil.disk_usage(folder).free < _FREE_BYTES:
        return f"the disk of {folder} is nearly full; free some of it"
    outcome = folder / _WORKS
    if not outcome.exists():
        write_aside(outcome, _try(flags))
    fault = outcome.read_text(encoding="utf-8")
    return f"{fault} (remove {folder} to try again)" if fault else None


def _try(flags: str) -> str:
    """Compile in one process and read it in a second one; the last words of one that fails."""
    for _ in range(2):
        try:
            subprocess.run(
                [sys.executable, "-c", _STEP],
                env={**os.environ, "TF_XLA_FLAGS": flags},
                stderr=subprocess.PIPE,
                text=True,
                timeout=_TRIED_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            return str((error.stderr.strip().splitlines() or [error])[-1])
        except subprocess.TimeoutExpired as error:
            return str(error)
    return ""
