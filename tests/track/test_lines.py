"""Lines that are appended are there as a whole or not at all."""

import threading
from pathlib import Path

import pytest
from disks import file_limit

from sweeper.track.lines import append, read


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lines.jsonl"
    append(file, {"line": 0})
    with file_limit(100), pytest.raises(OSError, match="large"):
        append(file, {"line": 1}, {"long": "x" * 200})
    append(file, {"line": 2})
    assert [value for value, _ in read(file)] == [{"line": 0}, {"line": 2}]


def test_several_who_append_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"

    def write(who: int) -> None:
        for count in range(100):
            append(file, {"who": who, "count": count})

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [value for value, _ in read(file)]
    for who in range(4):
        assert [one["count"] for one in found if one["who"] == who] == list(range(100))
    *_, (_, end) = read(file)
    assert end == file.stat().st_size
    (_, second) = next(read(file))
    assert [value for value, _ in read(file, second)] == found[1:]
