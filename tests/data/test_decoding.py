"""The one decoder: TensorFlow for what it decodes right, all else as people see it."""

import importlib.util
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import decoded, faults, folder, names, picture
from PIL import Image, ImageOps

from sweeper.data.image_reading.decoding import Decoder
from sweeper.data.image_reading.formats import kind_of
from sweeper.data.sources import loading

LIMIT = 1_000_000
DECODER = Decoder(LIMIT)


def noise(width: int = 23, height: int = 17, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def in_graph(data: bytes, decoder: Decoder = DECODER) -> np.ndarray:
    """As a data set decodes it."""
    (image,) = tf.data.Dataset.from_tensors(tf.constant(data)).map(decoder).as_numpy_iterator()
    return image


def by_tensorflow(data: bytes) -> np.ndarray:
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


EXIF = Image.Exif()
EXIF[0x010F] = "a camera"

PLAIN = {
    "JPEG": lambda: encoded(noise(), "JPEG"),
    "progressive JPEG": lambda: encoded(noise(), "JPEG", progressive=True),
    "grey JPEG": lambda: encoded(noise().convert("L"), "JPEG"),
    "JPEG of best quality": lambda: encoded(noise(), "JPEG", quality=100, subsampling=0),
    "JPEG with EXIF": lambda: encoded(noise(), "JPEG", exif=EXIF),
    "JPEG with a comment": lambda: encoded(noise(), "JPEG", comment=b"hello"),
    "JPEG of a printer": lambda: encoded(noise().convert("CMYK"), "JPEG"),
    "wide JPEG": lambda: encoded(noise(900, 300), "JPEG"),
    "PNG": lambda: encoded(noise(), "PNG"),
    "grey PNG": lambda: encoded(noise().convert("L"), "PNG"),
    "PNG of two colours": lambda: encoded(noise().convert("1"), "PNG"),
    "PNG with text": lambda: encoded(noise(), "PNG", dpi=(72, 72)),
    "PNG with a palette": lambda: encoded(noise().quantize(50), "PNG"),
    "opaque PNG": lambda: encoded(noise().convert("RGBA"), "PNG"),
    "deep PNG": lambda: encoded(
        Image.fromarray(np.arange(60000, dtype=np.uint16).reshape(200, 300)), "PNG"
    ),
    "WebP": lambda: encoded(noise(), "WEBP"),
    "GIF": lambda: encoded(noise(), "GIF"),
    "BMP": lambda: encoded(noise(), "BMP"),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_tensorflow_decodes_right_is_the_same_to_the_last_bit(kind):
    data = PLAIN[kind]()
    np.testing.assert_array_equal(in_graph(data), by_tensorflow(data))
    np.testing.assert_array_equal(DECODER(tf.constant(data)).numpy(), by_tensorflow(data))


@pytest.mark.parametrize(
    "kind", ["JPEG", "grey JPEG", "progressive JPEG", "PNG", "grey PNG", "wide JPEG"]
)
def test_plain_headers_need_no_second_look(kind):
    head = tf.strings.substr(PLAIN[kind](), 0, 512)
    assert tf.strings.regex_full_match(head, Decoder(100_000_000)._plain)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP"]),
    orientation=st.integers(0, 9),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    big_endian=st.booleans(),
)
def test_every_orientation_is_honoured(kind, orientation, size, big_endian):
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(noise(*size), kind, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    found = in_graph(data)
    assert found.shape == upright.shape
    # the two decoders of JPEG round otherwise
    assert np.abs(found.astype(int) - upright).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("after", [False, True])
def test_orientation_of_a_png_wherever_it_stands(after):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(noise(), "PNG", exif=exif)
    if after:  # behind the pixels, where some programs write it
        start = data.index(b"eXIf") - 4
        end = start + 12 + int.from_bytes(data[start : start + 4])
        data = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert in_graph(data).shape == (23, 17, 3)


def shape(colour: int) -> Image.Image:
    """A square that is in the alpha channel only."""
    pixels = np.full((20, 20, 4), colour, np.uint8)
    pixels[..., 3] = 0
    pixels[5:12, 5:12, 3] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("colour", [0, 90, 255])
def test_shapes_of_the_alpha_channel_are_seen(kind, colour):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = in_graph(encoded(shape(colour), kind, **options))
    assert np.ptp(image) >= 100
    assert (image[6:11, 6:11] == colour).all()


def test_transparent_colours_of_a_palette():
    data = encoded(shape(0).convert("LA").convert("P"), "PNG", transparency=0)
    assert in_graph(data).shape == (20, 20, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_cut_alike(kind):
    image = Image.fromarray(np.arange(0, 60000, 250, dtype=np.uint16).reshape(16, 15))
    np.testing.assert_array_equal(in_graph(encoded(image, kind))[..., 1], np.asarray(image) >> 8)


def test_palettes_of_bmp_are_looked_up():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 250, 10, 20])
    assert (in_graph(encoded(image, "BMP")) == (250, 10, 20)).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>", "no image that is known, and starts with b'<html>'"),
        (encoded(noise(), "TIFF")[:200], "damaged"),
        (encoded(noise(), "BMP")[:200], "damaged"),
        (encoded(noise().convert("F"), "TIFF"), "its values have 32 bits"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "it is HEIC; install pillow-heif"),
    ],
)
def test_what_cannot_be_decoded_says_why(data, reason, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=reason):
        DECODER(tf.constant(data))
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        in_graph(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"])
def test_too_many_pixels_are_refused_before_they_are_decoded(kind):
    data = encoded(Image.new("RGB", (1001, 1000)), kind)
    with pytest.raises(
        ValueError, match=r"1,001 x 1,000 pixels are more than dataset\.max_pixels=1000000"
    ):
        DECODER(tf.constant(data))
    assert in_graph(data, Decoder(1_001_000)).shape == (1000, 1001, 3)


def jxl_of(width: int, height: int) -> bytes:
    """The header of a JPEG XL picture of that size, each side up to 2 ** 30, and nothing else."""
    bits, place = 0, 0
    for value, length in ((0, 1), (3, 2), (height - 1, 30), (0, 3), (3, 2), (width - 1, 30)):
        bits |= value << place
        place += length
    return b"\xff\x0a" + bits.to_bytes(14, "little")


def icon_of(inside: bytes, side: int = 16) -> bytes:
    """An icon whose list promises another size than its picture has."""
    entry = struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(inside), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inside


def bitmap_of(width: int, height: int) -> bytes:
    """The header of a bitmap as icons have them."""
    return struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)


SIZED = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "TGA", "TIFF")


@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(encoded(Image.new("RGB", (250, 240)), kind), id=kind) for kind in SIZED),
        pytest.param(encoded(Image.new("RGB", (250, 240)), "WEBP"), id="WEBP"),
        pytest.param(encoded(Image.new("RGBA", (250, 240)), "WEBP"), id="WEBP with alpha"),
        pytest.param(jxl_of(2**30, 2**30), id="JXL"),
        pytest.param(icon_of(encoded(Image.new("RGB", (250, 240)), "PNG")), id="ICO of PNG"),
    ],
)
def test_a_bomb_of_any_format_is_refused_before_it_is_decoded(data, monkeypatch):
    def decodes(*_arguments, **_more):
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decodes)
    monkeypatch.setattr("sweeper.data.image_reading.decoding._by_tensorflow", decodes)
    with pytest.raises(ValueError, match=r"pixels are more than dataset\.max_pixels=5000"):
        Decoder(5000)(tf.constant(data))


def test_a_bitmap_that_no_icon_can_have_is_not_decoded(monkeypatch):
    monkeypatch.setattr("PIL.IcoImagePlugin.IcoFile.frame", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="a damaged ico image"):
        DECODER(tf.constant(icon_of(bitmap_of(30_000, 30_000))))


@pytest.mark.parametrize("kind", ["png", "bmp"])
def test_an_icon_is_its_largest_picture(kind):
    picture = noise(40, 40)
    data = encoded(picture, "ICO", sizes=[(16, 16), (40, 40)], bitmap_format=kind)
    np.testing.assert_array_equal(in_graph(data), np.asarray(picture))


@settings(max_examples=30, deadline=None)
@given(limit=st.integers(1, 3000), width=st.integers(1, 60), height=st.integers(1, 60))
def test_the_limit_is_exact(limit, width, height):
    for kind in ("PNG", "JPEG"):
        data = encoded(Image.new("L", (width, height)), kind)
        if width * height > limit:
            with pytest.raises(ValueError, match=r"more than dataset\.max_pixels"):
                Decoder(limit)(tf.constant(data))
        else:
            assert Decoder(limit)(tf.constant(data)).shape == (height, width, 3)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"]),
    data=st.data(),
)
def test_damaged_files_raise_nothing_else(kind, data):
    whole = bytearray(encoded(noise(), kind))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        image = in_graph(cut)
    except tf.errors.InvalidArgumentError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="an optional extra")
def test_heic_is_read_where_it_can_be():
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = encoded(Image.new("RGB", (32, 24), (200, 30, 40)), "HEIF")
    assert np.abs(in_graph(data).astype(int) - (200, 30, 40)).max() <= 4


@pytest.mark.parametrize("name", ["a.heic", "a.heif", "a.HIF"])
def test_heic_without_its_package_is_refused_with_what_to_install(tmp_path, name, monkeypatch):
    monkeypatch.setattr("sweeper.data.image_reading.formats.reads_heif", lambda: False)
    for one in ("cat", "dog"):
        picture(tmp_path / one / "a.png")
    (tmp_path / "cat" / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (fault,) = faults(folder(tmp_path))
    assert fault == (
        f"{tmp_path / 'cat'} holds 1 HEIC files; install pillow-heif (pip install pillow-heif), or "
        "convert them"
    )


def as_jpeg(path: Path) -> None:
    noise().save(path, "JPEG")


def as_png(path: Path) -> None:
    noise().save(path, "PNG")


@pytest.mark.parametrize(
    "name", ["a.jfif", "a.JPE", "a", "a.heif", "a.jpg_large", "a.jpeg!d", "a.1"]
)
@pytest.mark.parametrize("write", [as_jpeg, as_png])
def test_images_are_known_by_what_they_hold(tmp_path, name, write: Callable[[Path], None]):
    for one in ("cat", "dog"):
        for number in range(4):
            (tmp_path / one / f"{number}").mkdir(parents=True)
            (tmp_path / one / f"{number}").rmdir()
            write(tmp_path / one / f"{number}{name}")
    dataset = folder(tmp_path)
    assert loading.prepare(dataset) == []
    source = loading.load(dataset)
    assert len(names(source.train)) == 6
    assert decoded(source.train)[0].shape == (17, 23, 3)


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "QOI"]
)
def test_first_bytes_tell_the_kind(kind):
    assert kind_of(encoded(noise(), kind)[:32]) == kind.lower()


@given(st.text(max_size=40))
def test_text_is_no_image(text):
    assert kind_of(text.encode()) in {None, "ppm", "gif", "qoi"}
