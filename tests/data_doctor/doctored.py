"""Small folders of pictures with faults of every kind, and their collection."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data_doctor.collection import Collection, opened
from sweeper.paths import entries_dir


def texture(number: int, channel: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture that differs from all others; of one channel are those of one class."""
    draws = np.random.default_rng([number, channel])
    coarse = draws.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    coarse[..., channel] = coarse[..., channel] // 2 + 128
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def photos(folder: Path, classes: int = 3, each: int = 12) -> Path:
    """``classes`` folders of ``each`` different pictures below ``folder``."""
    for channel, name in enumerate(("ant", "bee", "猫")[:classes]):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            texture(number, channel).save(folder / name / f"{number:02d}.jpg", quality=92)
    return folder


def of_folder(folder: Path, *overrides: str) -> Recipe:
    return recipe("dataset=folder", f"dataset.path={folder}", "image_size=32", *overrides)


@contextlib.contextmanager
def collected(chosen: Recipe) -> Iterator[Collection]:
    cache = Cache(entries_dir(), 10**9)
    with opened(chosen, cache, lambda _work, _done, _total: None) as collection:
        yield collection
