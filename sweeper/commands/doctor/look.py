"""Everything that the doctor looks at, in the order of its page."""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.addresses import sqlite_file
from sweeper.app.preparing.memory import memory
from sweeper.cache.shared_cache import Cache
from sweeper.commands.doctor import accelerators, machine, needs, probes, software
from sweeper.commands.doctor.apart import Checks, Failed, run_apart
from sweeper.commands.doctor.doctor_report import Line
from sweeper.config import Recipe
from sweeper.execute.devices import usable_cores, visible_devices
from sweeper.execute.executor import Placement
from sweeper.execute.process import ProcessExecutor
from sweeper.paths import entries_dir
from sweeper.validation import parse

_KINDS = ("CPU", "GPU")
_PLACEMENT = Placement(
    environment={
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_CPP_MIN_LOG_LEVEL": "0",  # why it does not see a GPU
    }
)


def look(config: DictConfig, keras_backend: str | None) -> Iterator[Line]:
    """Look at the machine, and at what the recipe of ``config`` needs.

    Args:
        config: a recipe, with its ``hydra`` node.
        keras_backend: see :func:`sweeper.commands.doctor.software.look`.
    """
    recipe = parse(config)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found, log = _run_checks(recipe)
    yield from software.look(keras_backend)
    yield accelerators.of_cpu(len(usable_cores()), load)
    yield from _devices(found, log, recipe)
    yield machine.of_memory(memory())
    yield from _folders(config, recipe)
    yield needs.of_tracking(recipe.tracking)
    yield needs.of_studies(config.hydra)
    group = f"recipe {recipe.name}"
    yield needs.of_weights(recipe.backbone, group)
    if "data" in found:
        yield needs.of_data(recipe.dataset, found["data"], group)
    if "step" in found:
        yield accelerators.of_step(found["step"], recipe, group)


def _run_checks(recipe: Recipe) -> tuple[dict[str, Any], str]:
    """What TensorFlow's checks return, and what it wrote meanwhile."""
    checks: Checks = {
        "devices": probes.devices,  # first: without it the others cannot run
        **{f"XLA on {kind}": partial(probes.xla, kind) for kind in _KINDS},
        "bfloat16": probes.bfloat16,
        "data": partial(probes.data, recipe.dataset),
        "step": partial(probes.step, recipe),
        "mixed step": partial(probes.mixed_step, recipe),
    }
    with tempfile.TemporaryDirectory(prefix="sweeper-doctor-") as folder:
        log = Path(folder, "doctor.log")
        found = run_apart(checks, ProcessExecutor((), Path(folder, "server.log")), log, _PLACEMENT)
        written = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return found, written


def _devices(found: dict[str, Any], log: str, recipe: Recipe) -> Iterator[Line]:
    yield from accelerators.of_gpus(
        found["devices"],
        visible_devices(),
        sorted(map(str, Path("/dev").glob("nvidia[0-9]*"))),
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        log,
    )
    if isinstance(found["devices"], Failed):
        return
    for kind in _KINDS:
        yield from accelerators.of_xla(kind, found[f"XLA on {kind}"])
    yield accelerators.of_bfloat16(found["bfloat16"], found["mixed step"], recipe.precision)


def _folders(config: DictConfig, recipe: Recipe) -> Iterator[Line]:
    kept = sum(entry.size_bytes for entry in Cache(entries_dir(), budget_bytes=0).entries())
    yield from machine.of_cache(entries_dir(), kept, recipe.cache.budget_gb)
    studies = Path(str(config.hydra.sweep.dir)).absolute()
    yield machine.of_folder("study", studies, "hydra.sweep.dir=<folder>")
    runs = sqlite_file(recipe.tracking.uri)
    if runs is not None:
        yield machine.of_folder("MLflow", runs.absolute().parent, "tracking.uri=sqlite:///<file>")
