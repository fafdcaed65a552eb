"""Tiles of one image or two side by side, each below a few words: what a person should look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.pictures.figures import font, thumbnail, write_above, write_picture

_SIDE, _GAP, _FONT, _SPACING = 150, 12, 7.5, 2
"""Of an image as drawn and around a tile, in pixels; of letters, in points; between lines."""


@dataclass(frozen=True, eq=False)
class Tile:
    """Images ``[height, width, 3]`` side by side, as many in each tile of a sheet, and lines."""

    images: Sequence[NDArray[np.uint8]]
    lines: Sequence[str]


def save_sheet(path: Path, tiles: Sequence[Tile], columns: int) -> None:
    """Draw ``tiles`` row by row.

    Raises:
        ValueError: when there is none.
    """
    from PIL import Image, ImageDraw

    if not tiles:
        raise ValueError("a sheet needs a tile")
    columns = min(columns, len(tiles))
    each = max(len(tile.images) for tile in tiles)
    width = each * _SIDE + (each - 1) * 2 + _GAP
    line = sum(font(_FONT).getmetrics()) + _SPACING
    above = max(len(tile.lines) for tile in tiles) * line
    height = above + _SIDE + _GAP
    rows = -(-len(tiles) // columns)
    picture = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    draw = ImageDraw.Draw(picture)
    for number, tile in enumerate(tiles):
        left = _GAP + number % columns * width
        top = _GAP // 2 + number // columns * height
        middle = left + (width - _GAP) // 2
        write_above(draw, (middle, top + above), "\n".join(tile.lines), _FONT, _SPACING)
        for place, image in enumerate(tile.images):
            small = thumbnail(image, _SIDE)
            across = left + place * (_SIDE + 2) + (_SIDE - small.width) // 2
            picture.paste(small, (across, top + above + (_SIDE - small.height) // 2))
    write_picture(picture, path)
