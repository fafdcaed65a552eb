"""What a recipe needs from elsewhere: the stores of its results, its weights and its data."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.addresses import sqlite_file
from sweeper.commands.doctor.apart import Failed
from sweeper.commands.doctor.doctor_report import Line, State
from sweeper.config import LITE0, Backbone, Dataset, Tracking
from sweeper.errors import ConfigError
from sweeper.models.pretrained.weights_presence import (
    absent_file,
    cache_folder,
    is_cached,
    unreachable_download,
)
from sweeper.track.check import tracking_faults

_STORES = "stores"


def of_tracking(tracking: Tracking) -> Line:
    """The line of MLflow's store."""
    uri, faults = tracking.uri, tracking_faults(tracking.uri, tracking.experiment)
    if not faults and not uri.startswith("http") and sqlite_file(uri) is None:
        from sweeper.search.stores.server import check_answers

        try:
            check_answers(uri)
        except Exception as error:  # drivers raise what they like
            faults = [f"{_first_line(error)}; start that server, or set tracking.uri=<uri>"]
    return _store("MLflow", uri, faults)


def of_studies(hydra: DictConfig) -> Line:
    """The line of Optuna's store; ``hydra`` is the node of that name of a configuration."""
    from sweeper.search.settings.sweep_settings import SweepSettings
    from sweeper.search.stores.opening import storage_faults

    try:
        settings = SweepSettings.read(hydra.sweeper)
    except ConfigError as error:
        return _store("Optuna", str(hydra.sweeper.storage), list(error.faults))
    faults = storage_faults(settings, Path(str(hydra.sweep.dir)).absolute())
    return _store("Optuna", settings.storage or "memory: gone when a sweep ends", faults)


def of_weights(backbone: Backbone, group: str) -> Line:
    """The line of the weights that a recipe begins from."""
    fault = absent_file(backbone) or unreachable_download(backbone)
    if fault:
        return Line(group, "weights", "not here", State.BROKEN, fault)
    if backbone.weights is None:
        found = "random, none are needed"
    elif backbone.weights != "imagenet":
        found = backbone.weights
    elif backbone.name == LITE0:
        found = "ImageNet, in a package"
    elif is_cached(backbone.name):
        found = f"ImageNet, in {cache_folder()}"
    else:
        found = "ImageNet, downloaded by the first run"
    return Line(group, "weights", found)


def of_data(dataset: Dataset, found: Any, group: str) -> Line:
    """The line of the data; ``found`` is from :func:`~sweeper.commands.doctor.probes.data`."""
    name = getattr(dataset, "name", None) or str(getattr(dataset, "path", dataset.source))
    if isinstance(found, Failed):
        return Line(group, "data", name, State.BROKEN, found.reason)
    if "missing" not in found:
        text = f"{name}: {found['images']:,} images to train on, {found['classes']:,} classes"
        return Line(group, "data", text)
    if found["reachable"]:
        return Line(group, "data", name, State.WARNING, "the first run downloads and prepares it")
    return Line(group, "data", name, State.BROKEN, found["missing"])


def _store(name: str, address: str, faults: list[str]) -> Line:
    if faults:
        return Line(_STORES, name, address, State.BROKEN, "; ".join(faults))
    return Line(_STORES, name, address)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
