"""What a header says, of every kind of file, agrees with what the decoder makes of the file."""

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sweeper.data.image_reading.decoding import Decoder
from sweeper.data.image_reading.headers import read_header

_DECODE = Decoder(10**8)


def encoded(kind: str, mode: str = "RGB", orientation: int = 1) -> bytes:
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} if orientation != 1 else {}
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode", "channels"),
    [
        ("jpeg", "RGB", "RGB"),
        ("jpeg", "L", "grey"),
        ("jpeg", "CMYK", "CMYK"),
        ("png", "RGBA", "RGB with alpha"),
        ("png", "P", "palette"),
        ("png", "1", "black and white"),
        ("webp", "RGB", "RGB"),
        ("bmp", "RGB", "RGB"),
        ("gif", "P", "palette"),
        ("tiff", "L", "grey"),
        ("ppm", "RGB", "RGB"),
    ],
)
def test_kind_size_and_channels(kind: str, mode: str, channels: str, tmp_path: Path) -> None:
    content = encoded(kind, mode)
    found = read_header(content)
    assert found is not None
    assert (found.kind, found.width, found.height) == (kind, 30, 20)
    assert (found.channels, found.orientation) == (channels, 1)
    (tmp_path / "image").write_bytes(content)
    assert read_header(tmp_path / "image") == found


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_as_the_image_is_shown(orientation: int) -> None:
    content = encoded("jpeg", orientation=orientation)
    found = read_header(content)
    assert found is not None
    assert found.orientation == orientation
    assert (found.height, found.width) == tuple(_DECODE(tf.constant(content)).shape[:2])


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"\xff\x0a"])
def test_what_is_no_image_has_no_header(content: bytes, tmp_path: Path) -> None:
    assert read_header(content) is None
    assert read_header(tmp_path / "nowhere") is None
