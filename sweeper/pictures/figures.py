"""What all pictures of a trial are made with: figures, pixels, and PNG files.

Curves and tables are matplotlib's, through its object-oriented API only: ``pyplot`` would keep
figures in global state and look for a display. Pictures that are images with a few words are
pasted together by Pillow, in a tenth of the time. Names (classes, titles) are drawn as they are
written: a ``$`` in them starts no formula.
"""

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper.disk.files import write_aside
from sweeper.pictures.lettering import families, own_font, runs

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

DPI = 110


def new_figure(width: float, height: float) -> Any:
    """A figure of ``width`` by ``height`` inches, unknown to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="compressed", dpi=DPI)


def letter(text: Any) -> None:
    """Let a text of a figure be drawn with fonts that have its letters."""
    text.set_fontfamily(families(text.get_text()))


def write_figure(figure: Any, path: Path) -> None:
    """Draw ``figure`` and save it as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write_picture(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), path)


def write_picture(image: "Image", path: Path) -> None:
    """Save as PNG, in true colours."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    write_aside(path, content.getvalue())


@cache
def font(points: float, file: Path | None = None) -> "FreeTypeFont":
    """The font of ``file`` for Pillow, else matplotlib's, which has more scripts than Pillow's."""
    from PIL import ImageFont

    # without the shaping engine, which not every Pillow has: pictures are alike everywhere
    layout = ImageFont.Layout.BASIC
    return ImageFont.truetype(file or own_font(), points * DPI / 72, layout_engine=layout)


def write_above(
    draw: "ImageDraw", place: tuple[int, int], text: str, points: float, spacing: int
) -> None:
    """Write lines of ``text`` one below the other, centred, the last one ending at ``place``."""
    across, bottom = place
    ascent, descent = font(points).getmetrics()
    baseline = bottom - descent
    for line in reversed(text.split("\n")):
        pieces = [(font(points, file), piece) for file, piece in runs(line)]
        left = across - sum(letters.getlength(piece) for letters, piece in pieces) / 2
        for letters, piece in pieces:
            draw.text((left, baseline), piece, "black", letters, "ls")
            left += letters.getlength(piece)
        baseline -= ascent + descent + spacing


def thumbnail(pixels: NDArray[np.uint8], side: int) -> "Image":
    """An image ``[height, width, 3]`` made as large as fits into a square of ``side`` pixels."""
    from PIL import Image, ImageOps

    return ImageOps.contain(Image.fromarray(pixels), (side, side), Image.Resampling.LANCZOS)


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
