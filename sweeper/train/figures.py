"""What all pictures of a trial are made with: figures, pixels, names, and PNG files.

Only matplotlib's object-oriented API is used: ``pyplot`` would keep figures in global state and
look for a display. Names (classes, titles) are drawn as they are written: a ``$`` in them starts no
formula.
"""

import io
import textwrap
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper.paths import write_aside

DPI = 110


def new_figure(
    width: float, height: float, layout: Literal["compressed"] | None = "compressed"
) -> Any:
    """A figure of ``width`` by ``height`` inches, unknown to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def write_png(figure: Any, path: Path) -> None:
    """Save as PNG with a palette of 256 colours, which takes a third of the bytes."""
    from PIL import Image

    drawn, reduced = io.BytesIO(), io.BytesIO()
    quickly = {"compress_level": 0}
    figure.savefig(drawn, format="png", dpi=DPI, bbox_inches="tight", pil_kwargs=quickly)
    with Image.open(drawn) as image:
        palette = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(reduced, format="PNG", optimize=True)
    write_aside(path, reduced.getvalue())


def shorten(name: str, limit: int) -> str:
    """``name`` on one line; a long one loses its middle, since classes share beginnings or ends."""
    line = " ".join(name.split())
    if len(line) <= limit:
        return line
    head = (limit - 1) // 2
    return f"{line[:head]}…{line[head + 1 - limit :]}"


def wrap(name: str, width: int) -> str:
    """``name`` on two or three lines of ``width`` characters at the most."""
    return "\n".join(textwrap.wrap(shorten(name, 2 * width), width, break_on_hyphens=False))


def as_pixels(images: ArrayLike) -> NDArray[np.uint8]:
    """Images ``[n, height, width, 3]`` with values in [0, 255] of any number type, as uint8.

    Raises:
        ValueError: when the shape is another, or no image is there.
    """
    pixels = np.asarray(images)
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or not pixels.size:
        shape = list(pixels.shape)
        raise ValueError(f"images must be a non-empty [n, height, width, 3], got shape {shape}")
    if pixels.dtype == np.uint8:
        return pixels
    finite = np.nan_to_num(pixels.astype(np.float64))
    return np.rint(np.clip(finite, 0, 255)).astype(np.uint8)
