"""Whether weights are there at all, seen without importing Keras."""

import os
import re
from pathlib import Path

from sweeper.config import Backbone
from sweeper.http_probe import probe

HOST = "https://storage.googleapis.com/"
"""Where keras.applications downloads every network from."""
_SECONDS = 3.0
_SET = (
    "set backbone.weights=<path> to a file saved from {} with include_top=False, or train from "
    "scratch with freeze=scratch"
)


def absent_file(backbone: Backbone) -> str | None:
    """What to do about a file of weights that does not exist; None where it does."""
    if backbone.weights in (None, "imagenet"):
        return None
    path = Path(str(backbone.weights)).expanduser()
    if path.exists():
        return None
    return (
        f"weights of {backbone.name} are not here: backbone.weights={path} does not exist (looked "
        f"in {path.parent.resolve()}); {_SET.format(backbone.name)}"
    )


def unreachable_download(backbone: Backbone) -> str | None:
    """What to do about ImageNet weights that are neither in the cache nor to be had now."""
    if backbone.weights != "imagenet" or backbone.name == "EfficientNetLite0":  # in a package
        return None
    if is_cached(backbone.name):
        return None
    try:
        probe(HOST, _SECONDS)
    except OSError as error:
        return (
            f"the ImageNet weights of {backbone.name} are not here: looked in {cache_folder()}, "
            f"and {HOST} does not answer ({error}); copy their file to that folder, or "
            f"{_SET.format(backbone.name)}"
        )
    return None


def cache_folder() -> Path:
    """Where Keras keeps what it downloaded: ``$KERAS_HOME/models`` or ``~/.keras/models``."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def is_cached(name: str) -> bool:
    """Whether a file in the cache could be the network's; a wrong yes costs patience only."""

    def letters(text: str) -> str:
        return re.sub(r"[\W_]", "", text.lower())

    return any(letters(name) in letters(file.name) for file in cache_folder().glob("*.h5"))
