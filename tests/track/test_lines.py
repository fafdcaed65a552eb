"""Lines that are appended are there as a whole or not at all."""

import errno
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest
from disks import file_limit

from sweeper.study_files.lines import append, read


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lines.jsonl"
    append(file, {"line": 0})
    with file_limit(100), pytest.raises(OSError, match="large"):
        append(file, {"line": 1}, {"long": "x" * 200})
    append(file, {"line": 2})
    assert [value for value, _ in read(file)] == [{"line": 0}, {"line": 2}]


def _append(file: Path, who: int, all_here: Any) -> None:
    all_here.wait()
    for count in range(100):
        append(file, {"who": who, "count": count, "pad": "x" * 9000})


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_several_who_append_at_once_lose_nothing(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "lines.jsonl"
    context: Any = multiprocessing.get_context("spawn")
    writer = threading.Thread if kind == "threads" else context.Process
    all_here = threading.Barrier(4) if kind == "threads" else context.Barrier(4)
    started = [writer(target=_append, args=(file, who, all_here)) for who in range(4)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    found = [value for value, _ in read(file)]
    # each line is longer than a page of the file, so that it is written in several steps
    for who in range(4):
        assert [one["count"] for one in found if one["who"] == who] == list(range(100))
    *_, (_, end) = read(file)
    assert end == file.stat().st_size
    (_, second) = next(read(file))
    assert [value for value, _ in read(file, second)] == found[1:]


def test_a_file_on_a_disk_without_locks_is_appended_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("sweeper.study_files.lines.flock", no_locks)
    append(tmp_path / "lines.jsonl", {"line": 0})
    assert [value for value, _ in read(tmp_path / "lines.jsonl")] == [{"line": 0}]
