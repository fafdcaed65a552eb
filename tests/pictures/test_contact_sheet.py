"""Sheets of tiles."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweeper.pictures.contact_sheet import Tile, save_sheet


def tile(level: int, images: int = 1) -> Tile:
    return Tile([np.full((30, 60, 3), level, np.uint8)] * images, ["dog 猫 $x$", "0.5"])


@pytest.mark.parametrize(("tiles", "images", "rows"), [(1, 1, 1), (5, 1, 1), (6, 1, 2), (7, 2, 2)])
def test_every_tile_is_drawn(tiles: int, images: int, rows: int, tmp_path: Path) -> None:
    save_sheet(tmp_path / "sheet.png", [tile(20 * n, images) for n in range(tiles)], 5)
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    for level in range(0, 20 * tiles, 20):
        assert (pixels == level).all(axis=-1).sum() >= images * 150 * 75
    one = np.asarray(Image.open(tmp_path / "sheet.png")).shape[0]
    save_sheet(tmp_path / "one.png", [tile(0, images)], 5)
    single = np.asarray(Image.open(tmp_path / "one.png")).shape[0]
    assert (one > 1.8 * single) == (rows == 2)


def test_a_sheet_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a tile"):
        save_sheet(tmp_path / "sheet.png", [], 3)
