"""Every command of docs/tutorial.md, on a folder of photographs that this makes.

With ``SWEEPER_WRITE_TUTORIAL=1`` the page gets the output that the commands have now.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from documented_commands import missing, shell, shortened, steps, with_output
from PIL import Image
from sklearn.datasets import load_sample_image

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
_ORIENTATION = 0x0112


def photographs(folder: Path) -> None:
    """60 crops of each of two photographs, and three new files, one of them broken."""
    rng = np.random.default_rng(0)
    for name, picture in (("temple", "china.jpg"), ("flower", "flower.jpg")):
        pixels = load_sample_image(picture)
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(60):
            side = int(rng.integers(24, 64))
            top, left = (int(rng.integers(0, edge - side)) for edge in pixels.shape[:2])
            crop = Image.fromarray(pixels[top : top + side, left : left + side])
            crop.save(folder / "photos" / name / f"{number:03}.jpg", quality=95)
    (folder / "holiday").mkdir()
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    temple, flower = (
        Image.fromarray(load_sample_image(name)).crop((250, 150, 330, 230))
        for name in ("china.jpg", "flower.jpg")
    )
    temple.rotate(90, expand=True).save(folder / "holiday" / "1.jpg", exif=exif)
    flower.save(folder / "holiday" / "2.png")
    (folder / "holiday" / "3.jpg").write_bytes((folder / "holiday" / "1.jpg").read_bytes()[:900])


@pytest.mark.more
def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    photographs(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    outputs, wrong = [], []
    with shell(tmp_path) as opened:
        for step in steps(page):
            outputs.append(opened.run(step.command).replace(str(tmp_path), "/home/me"))
            wrong += [f"{step.command}: {line}" for line in missing(step.shown, outputs[-1])]
    if os.environ.get("SWEEPER_WRITE_TUTORIAL"):
        PAGE.write_text(with_output(page, [shortened(one) for one in outputs]), encoding="utf-8")
    else:
        assert len(outputs) == 10
        assert not wrong, "\n".join([*wrong, *outputs])
