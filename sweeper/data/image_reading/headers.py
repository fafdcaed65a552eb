"""What the header of an image file says, read without decoding the image."""

import io
from dataclasses import dataclass
from pathlib import Path

from sweeper.data.image_reading import jxl
from sweeper.data.image_reading.formats import HEAD, kind_of
from sweeper.data.image_reading.pillow_reader import open_image, orientation_of

UPRIGHT = 1
"""Orientation of EXIF of an image that lies in its file as it is shown."""
_CHANNELS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "RGB",
    "RGBA": "RGB with alpha",
    "CMYK": "CMYK",
    "I;16": "grey, 16 bits",
    "I;16B": "grey, 16 bits",
}


@dataclass(frozen=True)
class Header:
    """Of one image.

    Attributes:
        kind: of file, such as jpeg; unknown where nothing says it.
        width: in pixels, as it is shown.
        height: the same.
        channels: what a pixel has.
        orientation: of EXIF, 1 to 8.
    """

    kind: str
    width: int
    height: int
    channels: str
    orientation: int = UPRIGHT


def read_header(source: Path | bytes) -> Header | None:
    """Of a file, or of its bytes; None where it cannot be read."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            kind = kind_of(file.read(HEAD))
            file.seek(0)
            if kind == "jxl":  # unknown to Pillow
                return Header(kind, *jxl.size(file.read()), "not known")
            image = open_image(file)
            orientation = orientation_of(image)
            width, height = image.size if orientation < 5 else image.size[::-1]
            shown = kind or (image.format or "unknown").lower()
            channels = _CHANNELS.get(image.mode, image.mode)
            return Header(shown, width, height, channels, orientation)
    except Exception:  # readers of foreign bytes raise anything
        return None
