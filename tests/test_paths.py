from pathlib import Path

import pytest

from sweeper.disk.files import write_aside
from sweeper.paths import conf_dir


def test_recipes_are_found() -> None:
    assert (conf_dir() / "config.yaml").is_file()


def test_write_aside_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    write_aside(target, "one")
    write_aside(target, b"two")
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file.txt"
    write_aside(target, "old")

    def full(_descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_aside(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
