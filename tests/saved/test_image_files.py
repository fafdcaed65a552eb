"""Files, folders, patterns and a list on standard input."""

import io
from pathlib import Path

import pytest
from PIL import Image

from sweeper.saved.image_files import image_files


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/b.png", "photos/a.JPG", "photos/deep/er/c.png", ".photos/d.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path, "PNG")
    (tmp_path / "photos/notes.txt").write_text("no image")
    (tmp_path / "photos/no_suffix").write_bytes((tmp_path / "photos/b.png").read_bytes())
    (tmp_path / "photos/.hidden.png").write_bytes(b"")
    (tmp_path / "photos/[odd].png").write_bytes(b"")
    return tmp_path


def files(*named: str, listed: str = "") -> list[str]:
    return list(image_files(named, io.StringIO(listed)))


FOLDER = [
    *("photos/[odd].png", "photos/a.JPG", "photos/b.png", "photos/deep/er/c.png"),
    "photos/no_suffix",
]


@pytest.mark.usefixtures("photos")
def test_the_images_of_a_folder_at_any_depth() -> None:
    assert files("photos") == files("photos/") == files("./photos") == FOLDER


@pytest.mark.usefixtures("photos")
def test_a_pattern_means_what_a_shell_would_have_it_mean() -> None:
    assert files("photos/*.png") == ["photos/[odd].png", "photos/b.png"]
    assert files("photos/**/*.png") == [
        *("photos/[odd].png", "photos/b.png", "photos/deep/er/c.png"),
    ]
    assert files("phot*") == FOLDER


@pytest.mark.usefixtures("photos")
def test_a_name_is_taken_as_it_is_even_where_it_looks_like_a_pattern() -> None:
    assert files("photos/[odd].png", "photos/notes.txt") == ["photos/[odd].png", "photos/notes.txt"]
    assert files("nowhere.png", "no*where") == ["nowhere.png", "no*where"]


@pytest.mark.usefixtures("photos")
def test_names_on_standard_input_stand_where_the_dash_does() -> None:
    listed = "photos/b.png\n\n two words.png\n"
    assert files("first.png", "-", "last.png", listed=listed) == [
        *("first.png", "photos/b.png", " two words.png", "last.png"),
    ]
