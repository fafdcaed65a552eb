"""Versions of what sweeper is made of, against the bounds of its own package."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from sweeper import __version__
from sweeper.commands.doctor.doctor_report import Line, State

DISTRIBUTION = "sweeper-finetune"
_GROUP = "software"
_SHOWN = ("tensorflow", "keras", "mlflow", "optuna", "hydra-core", "numpy")
"""The others are lines where something is wrong with them."""
_INSTALL = "in the checkout: .venv/bin/pip install -c constraints.txt -e ."
_PLAIN = {"backend": "tensorflow", "image_data_format": "channels_last", "floatx": "float32"}


def look(keras_backend: str | None) -> Iterator[Line]:
    """Look at what is installed.

    Args:
        keras_backend: what ``KERAS_BACKEND`` was before sweeper set it.
    """
    try:
        python = metadata.metadata(DISTRIBUTION)["Requires-Python"]
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # it runs from a folder, and is not installed
        python, required = "", [*_SHOWN]
    yield of_python(platform.python_version(), python)
    yield Line(_GROUP, "sweeper", __version__)
    yield from of_packages(required, installed)
    yield from of_keras(keras_backend, keras_json())


def installed(name: str) -> str | None:
    """Version of a package, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def of_python(version: str, bounds: str) -> Line:
    """The line of Python; ``bounds`` are as packages write them, ``>=3.11,<3.14``."""
    if SpecifierSet(bounds).contains(version, prereleases=True):
        return Line(_GROUP, "Python", version)
    advice = f"sweeper was tested with {bounds}: make its environment with such a Python"
    return Line(_GROUP, "Python", version, State.WARNING, advice)


def of_packages(required: Sequence[str], version_of: Callable[[str], str | None]) -> Iterator[Line]:
    """Lines of the main packages, and of others that are missing or out of bounds."""
    requirements = [Requirement(text) for text in required]
    needed = [
        one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})
    ]
    order = {name: place for place, name in enumerate(_SHOWN)}
    for one in sorted(needed, key=lambda one: (order.get(one.name, len(order)), one.name)):
        version = version_of(one.name)
        if version is None:
            advice = f"install {one}; {_INSTALL}"
            yield Line(_GROUP, one.name, "not installed", State.BROKEN, advice)
        elif not one.specifier.contains(version, prereleases=True):
            advice = f"sweeper was tested with {one.specifier}; {_INSTALL}"
            yield Line(_GROUP, one.name, version, State.WARNING, advice)
        elif one.name in order:
            yield Line(_GROUP, one.name, version)


def keras_json() -> Path:
    """File of settings that all programs with Keras share."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "keras.json"


def of_keras(backend: str | None, file: Path) -> Iterator[Line]:
    """Settings for other programs that sweeper does not follow."""
    if backend not in (None, "", "tensorflow"):
        advice = "sweeper trains with tensorflow whatever it says"
        yield Line(_GROUP, "KERAS_BACKEND", str(backend), State.WARNING, advice)
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        advice = f"Keras reads it when it starts: correct or remove {file}"
        yield Line(_GROUP, "keras.json", str(error), State.WARNING, advice)
        return
    given = settings if isinstance(settings, Mapping) else {}
    other = [f"{key} {given[key]}" for key, ours in _PLAIN.items() if given.get(key, ours) != ours]
    if other:
        ours = ", ".join(_PLAIN.values())
        advice = f"sweeper uses {ours}, whatever {file} says"
        yield Line(_GROUP, "keras.json", ", ".join(other), State.WARNING, advice)
