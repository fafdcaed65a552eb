"""What all pictures of a trial are made with: figures, pixels, names, and PNG files.

Curves and tables are matplotlib's, through its object-oriented API only: ``pyplot`` would keep
figures in global state and look for a display. Pictures that are images with a few words are
pasted together by Pillow, in a tenth of the time. Names (classes, titles) are drawn as they are
written: a ``$`` in them starts no formula.
"""

import io
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper.paths import write_aside

if TYPE_CHECKING:
    from PIL.Image import Image, Quantize
    from PIL.ImageFont import FreeTypeFont

DPI = 110


def new_figure(width: float, height: float) -> Any:
    """A figure of ``width`` by ``height`` inches, unknown to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="compressed", dpi=DPI)


def write_figure(figure: Any, path: Path) -> None:
    """Draw ``figure`` and save it as PNG, with a palette that keeps white white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    _write(drawn, Image.Quantize.MEDIANCUT, path)


def write_photographs(image: "Image", path: Path) -> None:
    """Save as PNG, with a palette that is nearly as good for photographs and made at once.

    Off by 5.9 of 255 on average, not 5.0, but in 4 ms where MEDIANCUT takes 160.
    """
    from PIL.Image import Quantize

    _write(image, Quantize.FASTOCTREE, path)


def _write(image: "Image", method: "Quantize", path: Path) -> None:
    """With 256 colours, which take a third of the bytes."""
    from PIL.Image import Dither

    content = io.BytesIO()
    image.quantize(256, method=method, dither=Dither.NONE).save(content, format="PNG")
    write_aside(path, content.getvalue())


@cache
def font(points: float) -> "FreeTypeFont":
    """matplotlib's font, which has more alphabets than Pillow's."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    file = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    # without the shaping engine, which not every Pillow has: pictures are alike everywhere
    return ImageFont.truetype(file, points * DPI / 72, layout_engine=ImageFont.Layout.BASIC)


def thumbnail(pixels: NDArray[np.uint8], side: int) -> "Image":
    """An image ``[height, width, 3]`` made as large as fits into a square of ``side`` pixels."""
    from PIL import Image, ImageOps

    return ImageOps.contain(Image.fromarray(pixels), (side, side), Image.Resampling.LANCZOS)


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
