"""An image with what a network looked at in warm colours, beside the image itself."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.pictures.figures import write_picture

_SIDE = 192
"""Pixels; twice what a page shows, for screens of high density."""
_SHARE = 0.55
"""Of the colours where most was looked at."""


def save_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image ``[height, width, 3]``, as large as it is shown."""
    from PIL import Image

    write_picture(Image.fromarray(image).resize(_size(image), Image.Resampling.BICUBIC), path)


def save_heat(path: Path, image: NDArray[np.uint8], heat: NDArray[np.float32]) -> None:
    """Write an image ``[height, width, 3]`` under ``heat`` ``[rows, columns]`` in [0, 1].

    The image is grey, so that its own colours are not taken for those of the heat; these are
    matplotlib's inferno, whose lightness grows evenly for everyone.
    """
    from matplotlib import colormaps
    from PIL import Image

    size = _size(image)
    grey = Image.fromarray(image).convert("L").resize(size, Image.Resampling.BICUBIC)
    large = Image.fromarray(heat).resize(size, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(large), 0, 1)
    warm = colormaps["inferno"](level)[..., :3] * 255
    share = (_SHARE * level)[..., np.newaxis]
    mixed = np.asarray(grey, np.float32)[..., np.newaxis] * (1 - share) + warm * share
    write_picture(Image.fromarray(mixed.round().astype(np.uint8)), path)


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
