"""Whatever an image file holds, three channels of 8 bits come out."""

from pathlib import Path

import numpy as np
import pytest
from pictures import decoded, folder, names
from PIL import Image

from sweeper.data.sources import loading

COLOUR = (200, 100, 51)
GREY = 124  # ITU-R 601 luma of COLOUR, as Pillow converts it


def one(path: Path) -> np.ndarray:
    """The image at ``path`` as a trial gets it."""
    for number in range(2):
        other = path.parent.parent / "other" / f"{number}.png"
        other.parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(other)
        twin = path.with_stem(f"twin{number}")
        twin.write_bytes(path.read_bytes())
    dataset = folder(path.parent.parent)
    assert loading.prepare(dataset) == []
    train = loading.load(dataset).train
    return decoded(train)[[Path(name).parent for name in names(train)].index(path.parent)]


@pytest.mark.parametrize(
    ("suffix", "mode", "colour"),
    [
        ("png", "RGB", COLOUR),
        ("png", "RGBA", COLOUR),  # transparency is dropped
        ("png", "P", COLOUR),
        ("png", "L", (GREY,) * 3),
        ("png", "LA", (GREY,) * 3),
        ("gif", "P", COLOUR),
        ("bmp", "RGB", COLOUR),
        ("bmp", "L", (GREY,) * 3),
        ("jpg", "RGB", COLOUR),
        ("jpg", "L", (GREY,) * 3),
        ("jpg", "CMYK", COLOUR),
        ("webp", "RGB", COLOUR),
        ("webp", "RGBA", COLOUR),
        ("bmp", "P", COLOUR),
        ("tiff", "RGB", COLOUR),
        ("tif", "CMYK", COLOUR),
        ("jp2", "RGB", COLOUR),
        ("avif", "RGB", COLOUR),
        ("ppm", "RGB", COLOUR),
        ("pgm", "L", (GREY,) * 3),
        ("tga", "RGB", COLOUR),
        ("qoi", "RGB", COLOUR),
        ("pcx", "RGB", COLOUR),
    ],
)
def test_every_kind_of_colour(tmp_path, suffix, mode, colour):
    path = tmp_path / "kind" / f"a.{suffix}"
    path.parent.mkdir()
    Image.new("RGBA", (5, 4), (*COLOUR, 7)).convert(mode, dither=0).save(path)
    image = one(path)
    assert image.dtype == np.uint8
    assert image.shape == (4, 5, 3)
    assert np.abs(image.astype(int) - colour).max() <= (
        2 if suffix in {"jpg", "webp", "avif"} else 0
    )


def test_sixteen_bits_become_eight(tmp_path):
    path = tmp_path / "deep" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.full((4, 5), 0x81FF, np.uint16)).save(path)
    np.testing.assert_array_equal(one(path), np.full((4, 5, 3), 0x81, np.uint8))


def test_one_bit_becomes_eight(tmp_path):
    path = tmp_path / "flat" / "a.png"
    path.parent.mkdir()
    Image.new("1", (5, 4), 1).save(path)
    np.testing.assert_array_equal(one(path), np.full((4, 5, 3), 255, np.uint8))


def test_an_animation_is_its_first_picture(tmp_path):
    path = tmp_path / "moving" / "a.gif"
    path.parent.mkdir()
    frames = [Image.new("RGB", (5, 4), (level, 0, 0)) for level in (250, 10)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(one(path)[..., 0], np.full((4, 5), 250))
