"""Small image files, sound and broken, and recipes for folders of them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweeper.config import Dataset, Folder
from sweeper.data.examples import Examples
from sweeper.data.sources import loading
from sweeper.errors import ConfigError

NOBODY = 65534


def picture(path: Path, level: int = 100, size: tuple[int, int] = (12, 9)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 0, 255 - level)).save(path)
    return path


def truncated(path: Path) -> Path:
    """A JPEG whose header is sound."""
    picture(path, size=(200, 200))
    path.write_bytes(path.read_bytes()[:700])
    return path


def folder(path: Path, **changes: Any) -> Folder:
    settings: dict[str, Any] = {
        "source": "folder",
        "path": path,
        "validation_fraction": 0.2,
        "test_fraction": 0.25,
        "split_seed": 0,
        "on_corrupt": "error",
    }
    return Folder(**settings | changes)


def decoded(examples: Examples) -> list[np.ndarray]:
    return [examples.decode(raw).numpy() for raw in examples.raw().as_numpy_iterator()]


def names(examples: Examples) -> list[str]:
    return [examples.name(position) for position in examples.indices.tolist()]


def faults(dataset: Dataset, reads: Any = loading.load) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        reads(dataset)
    return caught.value.faults


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read whatever it likes; let nobody try."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
