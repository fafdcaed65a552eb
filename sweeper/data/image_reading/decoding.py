"""From the bytes of a file to an image: the one decoder of training, tests, samples and the scan.

TensorFlow decodes what it decodes right. Everything else is decoded through Pillow: what TensorFlow
does not know (TIFF, AVIF, HEIC, JPEG 2000, PPM), what it reads wrong (a BMP with a palette, as the
numbers of its colours), and what it leaves out (shapes that are in the alpha channel only).
"""

import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.image_reading import jxl
from sweeper.data.image_reading.channels import Pixels
from sweeper.data.image_reading.formats import HEAD, INSTALL_HEIF, kind_of, reads_heif
from sweeper.data.image_reading.pillow_reader import open_image, orientation_of, three_channels_of

if TYPE_CHECKING:
    from PIL.Image import Image

Encoded = bytes | NDArray[np.object_]
"""The bytes of a file, as ``tf.numpy_function`` hands them over: bare, or eagerly in an array."""

NUMBERS = 1
"""Version of the pixels of a file: 3 channels of 8 bits, of the first picture, upright. Raise it
when others may come out; ``tests/test_golden_numbers.py`` notices."""

_PILLOW = 0
"""Where an orientation (1 to 8) stands: TensorFlow does not decode this file right."""

_START = 512
"""Bytes in which a plain header ends."""
_END = 4096
_LATE_EXIF = r"(?s)\C*eXIf\C*"
"""EXIF of a PNG behind its pixels, where some programs write it."""
_QUANTIZATION = r"(?:\C\C\x00\x43[\x00-\x03]\C{64}){1,4}|\C\C\x00\x84[\x00-\x03]\C{129}"
_PLAIN_JPEG = (
    r"\C{4}\x00\x10JFIF\x00\C{9}(?:%s)\C\C\x00[\x0b\x11]\x08"
    r"[\x00-\x%02x]\C[\x00-\x%02x]\C[\x01\x03]"
)
_PLAIN_PNG = (
    r"\CPNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00[\x00-\x%02x]\C\x00\x00[\x00-\x%02x]\C"
    r"[\x01-\x10][\x00\x02]\x00\x00[\x00\x01]\C{8}IDAT"
)


class _TooLargeError(ValueError):
    """The picture has too many pixels; nothing of it was decoded."""


@dataclass(frozen=True)
class Decoder:
    """Decodes files whose pictures have at most ``max_pixels`` pixels."""

    max_pixels: int

    def __call__(self, encoded: tf.Tensor) -> tf.Tensor:
        """``[height, width, 3]`` uint8 from the bytes of a file, as graph operations.

        Upright, as EXIF has it. Grey is repeated, palettes are looked up, 16 bits cut to 8, and of
        several pictures the first is taken. Transparency is dropped, unless the shape is nowhere
        else.

        Raises:
            tf.errors.InvalidArgumentError: the file is no such image, is damaged, or has too many
                pixels; this is found before it is decoded.
        """
        head = tf.strings.substr(encoded, 0, _START)
        end = tf.strings.substr(encoded, tf.maximum(tf.strings.length(encoded) - _END, 0), _END)
        plain = tf.strings.regex_full_match(head, self._plain)
        image = tf.cond(
            plain & ~tf.strings.regex_full_match(end, _LATE_EXIF),
            lambda: _by_tensorflow(encoded),
            lambda: self._unplain(encoded),
        )
        return tf.ensure_shape(image, [None, None, 3])

    @property
    def key(self) -> str:
        """Another text whenever other pixels may come out; TensorFlow's version apart."""
        import PIL

        return (
            f"decoder {NUMBERS}; Pillow {PIL.__version__}, HEIF {reads_heif()}, {self.max_pixels}"
        )

    @functools.cached_property
    def _plain(self) -> str:
        """Headers of most JPEG and PNG files, of few enough pixels, which need no second look.

        They have no EXIF, no palette and no transparency. To look at a header from Python takes as
        long as to decode a small picture.
        """
        high = min(int(self.max_pixels**0.5) // 256 - 1, 127)
        if high < 0:
            return "a"  # no header at all
        jpeg, png = _PLAIN_JPEG % (_QUANTIZATION, high, high), _PLAIN_PNG % (high, high)
        return rf"(?s)(?:{jpeg}|{png})\C*"

    def _unplain(self, encoded: tf.Tensor) -> tf.Tensor:
        orientation = tf.numpy_function(self._look, [encoded], tf.int64, stateful=False)
        return tf.cond(
            orientation == _PILLOW,
            lambda: tf.numpy_function(self._by_pillow, [encoded], tf.uint8, stateful=False),
            lambda: _upright(_by_tensorflow(encoded), orientation),
        )

    def _look(self, element: Encoded) -> np.int64:
        """The orientation of what TensorFlow decodes right, else :data:`_PILLOW`.

        Raises:
            ValueError: it is no image, or has too many pixels.
        """
        encoded = _bytes_of(element)
        kind = kind_of(encoded[:HEAD])
        if kind == "jxl":  # unknown to Pillow; TensorFlow turns it upright
            self._check_size(*jxl.size(encoded))
            return np.int64(1)
        try:
            image = self._open(encoded)
        except _TooLargeError:
            raise
        except ValueError:
            if kind in {"jpeg", "png"}:  # TensorFlow may be able to, and says better why not
                return np.int64(1)
            raise
        if kind == "jpeg":
            return np.int64(orientation_of(image))
        if kind == "webp" and encoded[12:16] == b"VP8 ":
            return np.int64(1)
        if kind == "png":
            opaque = encoded[25] in {0, 2} and "transparency" not in image.info
            return np.int64(1 if opaque and orientation_of(image) == 1 else _PILLOW)
        return np.int64(_PILLOW)

    def _open(self, encoded: bytes) -> "Image":
        kind = kind_of(encoded[:HEAD])
        try:
            image = open_image(io.BytesIO(encoded))
        except Exception as error:  # readers of foreign bytes raise anything
            raise ValueError(_why(encoded, kind)) from error
        self._check_size(*image.size)
        return image

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise _TooLargeError(
                f"{width:,} x {height:,} pixels are more than dataset.max_pixels={self.max_pixels}"
            )

    def _by_pillow(self, element: Encoded) -> Pixels:
        import PIL.ImageOps

        try:
            encoded = _bytes_of(element)
            image = PIL.ImageOps.exif_transpose(self._open(encoded))
            return three_channels_of(image, kind_of(encoded[:HEAD]))
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(f"damaged: {' '.join(str(error).split())[:200]}") from error


def _bytes_of(element: Encoded) -> bytes:
    return element if isinstance(element, bytes) else bytes(element.item())


def _by_tensorflow(encoded: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turned and mirrored as ``PIL.ImageOps.exif_transpose`` does for EXIF orientations 1 to 8."""

    def identity() -> tf.Tensor:
        return image

    turns = (
        identity,
        lambda: image[:, ::-1],
        lambda: image[::-1, ::-1],
        lambda: image[::-1],
        lambda: tf.transpose(image, [1, 0, 2]),
        lambda: tf.transpose(image, [1, 0, 2])[:, ::-1],
        lambda: tf.transpose(image, [1, 0, 2])[::-1, ::-1],
        lambda: tf.transpose(image, [1, 0, 2])[::-1],
    )
    return tf.switch_case(tf.cast(orientation - 1, tf.int32), turns)


def reason(error: tf.errors.OpError) -> str:
    """What the decoder says, without the names of graph nodes around it."""
    return str(error.message).split("}} ")[-1].split(" [Op:")[0].rstrip(".")


def _why(encoded: bytes, kind: str | None) -> str:
    if not encoded:
        return "the file is empty"
    if kind == "heif" and not reads_heif():
        return f"it is HEIC; {INSTALL_HEIF} it"
    if kind is not None:
        return f"a damaged {kind} image"
    return f"it is no image that is known, and starts with {encoded[:12]!r}"
