"""What is refused is what the system refuses, and nothing else."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sweeper.disk.writable import too_long, unwritable, unwritable_database


def nested(folder: Path, length: int) -> Path:
    """A path of so many bytes below ``folder``."""
    path = folder
    while (left := length - len(os.fsencode(path)) - 1) > 200:
        path /= "d" * 150
    return path / ("f" * left)


@pytest.mark.parametrize("length", [400, 503, 504, 505, 511, 512, 600])
def test_a_database_is_refused_where_sqlite_refuses_it(tmp_path: Path, length: int) -> None:
    file = nested(tmp_path, length)
    refused = unwritable_database(file)
    file.parent.mkdir(parents=True)
    try:
        with closing(sqlite3.connect(file)) as database:
            database.execute("create table numbers (number)")
        takes = True
    except sqlite3.OperationalError:
        takes = False
    assert (refused is None) == takes
    assert takes or f"has {length} bytes" in str(refused)


def test_sqlite_looks_at_the_path_behind_a_link(tmp_path: Path) -> None:
    deep = nested(tmp_path, 505)
    deep.mkdir(parents=True)
    (tmp_path / "link").symlink_to(deep)
    assert "of which SQLite takes 504" in str(unwritable_database(tmp_path / "link" / "x.db"))
    (tmp_path / "circle").symlink_to("circle")
    assert unwritable_database(tmp_path / "circle" / "x.db")


@pytest.mark.parametrize("name", ["f" * 255, "f" * 256, "é" * 127, "é" * 128])
def test_a_name_is_refused_where_the_system_refuses_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "new" / name
    refused = too_long(folder)
    assert refused == unwritable(folder)
    if refused is None:
        folder.mkdir(parents=True)
        assert too_long(folder / "below") is None
        return
    assert "is longer than 255 bytes" in refused
    with pytest.raises(OSError, match="too long"):
        folder.mkdir(parents=True)


def test_a_path_is_refused_that_has_no_room_for_what_is_written_below(tmp_path: Path) -> None:
    assert too_long(nested(tmp_path, 3800)) is None
    assert "is longer than 3840 bytes" in str(too_long(nested(tmp_path, 3841)))
