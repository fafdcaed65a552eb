"""Some training images with the names of their classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sweeper.pictures.figures import (
    as_pixels,
    font,
    thumbnail,
    write_above,
    write_picture,
)
from sweeper.pictures.lettering import readable, wrap

GRID = 3
"""Rows and columns of images in one picture."""
_SIDE, _GAP, _FONT, _SPACING = 176, 14, 9, 2
"""Of an image as drawn and around it, of letters (in points), and between lines; else in pixels."""


def save_samples(
    path: Path, images: ArrayLike, labels: ArrayLike, class_names: Sequence[str]
) -> None:
    """Up to nine images with their class names.

    Args:
        path: the PNG to write.
        images: ``[n, height, width, 3]``, any number type, values in [0, 255].
        labels: ``[n]`` indices into ``class_names``.
        class_names: in the order of the labels.

    Raises:
        ValueError: when ``images`` has another shape, none is there, or a label is missing.
    """
    from PIL import Image, ImageDraw

    pixels = as_pixels(images)[: GRID**2]
    shown = np.asarray(labels)[: len(pixels)]
    names = readable(class_names)
    tiles = [
        (thumbnail(image, _SIDE), wrap(names[int(label)], 22))
        for image, label in zip(pixels, shown, strict=True)
    ]
    rows = [tiles[start : start + GRID] for start in range(0, len(tiles), GRID)]
    line = sum(font(_FONT).getmetrics()) + _SPACING
    above = [line * (1 + max(name.count("\n") for _, name in row)) for row in rows]
    size = GRID * (_SIDE + _GAP) + _GAP, sum(above) + len(rows) * (_SIDE + _GAP) + _GAP
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    top = _GAP // 2
    for row, height in zip(rows, above, strict=True):
        for column, (image, name) in enumerate(row):
            left = _GAP + column * (_SIDE + _GAP)
            place = left + _SIDE // 2, top + height
            write_above(draw, place, name, _FONT, _SPACING)
            picture.paste(image, (left + (_SIDE - image.width) // 2, top + height))
        top += height + _SIDE + _GAP
    write_picture(picture, path)
