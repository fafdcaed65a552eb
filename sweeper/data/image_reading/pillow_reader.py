"""What Pillow reads of an image file: its header, its orientation and its pixels."""

import functools
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from sweeper.data.image_reading import icons
from sweeper.data.image_reading.channels import Pixels, without_alpha
from sweeper.data.image_reading.formats import reads_heif

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO"),
    *("PCX", "PNG", "PPM", "QOI", "TGA", "TIFF", "WEBP"),
)
"""Pillow's readers of pixels; not those that run a program, as for EPS."""

_ORIENTATION = 0x0112  # of EXIF


def open_image(file: BinaryIO) -> "Image":
    """What Pillow makes of a file; its pixels are not decoded yet.

    Raises:
        Exception: anything, where it is no image that is read here.
    """
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # dataset.max_pixels is the limit
    if icons.is_icon(file):
        return icons.open_icon(file)
    return PIL.Image.open(file, formats=_formats())


def orientation_of(image: "Image") -> int:
    """Of EXIF: 1 to 8; 1, which is upright, where EXIF says nothing that can be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # readers of foreign bytes raise anything
        return 1
    return found if found in range(1, 9) else 1


def three_channels_of(image: "Image", kind: str | None) -> Pixels:
    """``[height, width, 3]`` uint8 of a picture in a file of this ``kind``.

    Raises:
        ValueError: its values have no 8 or 16 bits.
    """
    # Pillow gives grey PPM of 16 bits as 32
    if image.mode.startswith("I;16") or (image.mode == "I" and kind == "ppm"):
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    if image.mode in {"I", "F"}:
        raise ValueError("its values have 32 bits; convert it to 8 or 16")
    if image.has_transparency_data:
        return without_alpha(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of :data:`_FORMATS` that this Pillow was built with, and HEIF where it is installed."""
    import PIL.Image

    PIL.Image.init()
    if reads_heif():
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in _FORMATS if name in PIL.Image.OPEN)
