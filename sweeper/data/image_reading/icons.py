"""Icons (ICO), which Pillow decodes as it opens them, whatever size the picture inside has."""

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

_ICON = b"\0\0\1\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_SIDE = 256
"""Pixels; the list of an icon has no larger number."""


def is_icon(file: BinaryIO) -> bool:
    """Whether ``file``, which stands at its start and stays there, begins as an icon does."""
    starts = file.read(len(_ICON))
    file.seek(0)
    return starts == _ICON


def open_icon(file: BinaryIO) -> "Image":
    """The largest picture of an icon; the pixels of a PNG are not decoded yet.

    Raises:
        ValueError: its bitmap is larger than any that an icon can have.
        Exception: anything, where it is damaged.
    """
    from PIL import BmpImagePlugin, IcoImagePlugin, PngImagePlugin

    icon = IcoImagePlugin.IcoFile(file)
    start = icon.entry[0].offset
    file.seek(start)
    is_png = file.read(len(_PNG)) == _PNG
    file.seek(start)
    if is_png:
        return PngImagePlugin.PngImageFile(file)
    width, height = BmpImagePlugin.DibImageFile(file).size
    if width > _SIDE or height > 2 * _SIDE:  # of colours, and of which are seen
        raise ValueError(f"an icon whose bitmap has more than {_SIDE} pixels a side")
    return icon.frame(0)
