"""Disks that are full or may not be written: no cache, and no failure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import others
import pytest
from disks import OWN_DISK, file_limit
from others import KEY, SIZE, build
from processes import ENVIRONMENT

from sweeper.cache.shared_cache import Cache

_MIB = 1 << 20


def _on_a_disk(options: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", OWN_DISK, "sh", options, str(folder), *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("unshare") is None or _on_a_disk("size=4k", folder, "true").returncode:
        pytest.skip("this system lets nobody mount a disk of their own")
    return folder


@pytest.mark.parametrize("writer", ["promised", "plain", "numpy"])
def test_a_full_disk_keeps_nothing(disk: Path, writer: str) -> None:
    ended = _on_a_disk(
        "size=4m", disk, sys.executable, others.__file__, "fill", str(disk), str(8 * _MIB), writer
    )
    assert ended.returncode == 0, ended.stderr
    printed, result, left = ended.stdout.splitlines()
    assert "free" in printed
    assert (result, left) == ("nothing", "[]")


def test_entries_go_where_the_disk_is_smaller_than_the_budget(disk: Path) -> None:
    ended = _on_a_disk(
        "size=4m", disk, sys.executable, others.__file__, "fill", str(disk), str(3 * _MIB), "twice"
    )
    assert ended.stdout.splitlines() == ["kept", str([KEY.name])], ended.stderr


def test_a_disk_for_reading_only_keeps_nothing(disk: Path) -> None:
    ended = _on_a_disk("ro", disk, sys.executable, others.__file__, "fill", str(disk), "1", "plain")
    assert ended.returncode == 0, ended.stderr
    printed, result, left = ended.stdout.splitlines()
    assert "Read-only file system" in printed
    assert (result, left) == ("nothing", "[]")


def test_a_file_that_may_not_grow_keeps_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # by one less than what one of the builders writes
    limit = file_limit(SIZE // 2 - 1)
    with limit, Cache(tmp_path, 10 * SIZE).open(KEY, SIZE, build) as nothing:
        assert nothing is None
    assert "File too large" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_keeps_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with Cache(tmp_path / "file" / "entries", 10 * SIZE).open(KEY, SIZE, build) as nothing:
        assert nothing is None
    assert len(caplog.records) == 1
    assert "XDG_CACHE_HOME" in caplog.text


def test_an_entry_is_used_where_nothing_can_be_written(tmp_path: Path, disk: Path) -> None:
    with Cache(tmp_path / "entries", 10 * SIZE).open(KEY, SIZE, build) as entry:
        assert entry is not None
    script = 'mount --bind "$1" "$2" && mount -o remount,ro,bind "$2" && shift 2 && exec "$@"'
    command = [sys.executable, others.__file__, "open", str(disk), str(tmp_path / "count"), ""]
    ended = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            script,
            "sh",
            str(tmp_path / "entries"),
            str(disk),
            *command,
        ],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert ended.stdout.splitlines() == ["ready", "got found whole"], ended.stderr


def test_an_image_that_may_not_be_read_is_the_builders_error(tmp_path: Path) -> None:
    def forbidden(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied", "/photos/cat.jpg")

    with (
        pytest.raises(PermissionError, match="cat"),
        Cache(tmp_path, SIZE).open(KEY, SIZE, forbidden),
    ):
        pass


def test_an_error_without_a_number_is_the_builders_where_the_disk_takes_more(
    tmp_path: Path,
) -> None:
    def broken(_folder: Path) -> None:
        raise OSError("image file is truncated")

    with pytest.raises(OSError, match="truncated"), Cache(tmp_path, SIZE).open(KEY, SIZE, broken):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written_keeps_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with Cache(tmp_path, SIZE).open(KEY, SIZE, build) as nothing:
        assert nothing is None


def test_a_system_without_fcntl_keeps_nothing(tmp_path: Path) -> None:
    code = f"""
import importlib, sys
sys.path.insert(0, {str(Path(others.__file__).parent)!r})
import others
sys.platform, sys.modules["fcntl"] = "win32", None
importlib.reload(sys.modules["sweeper.disk.flock"])
importlib.reload(sys.modules["sweeper.cache.entry_locks"])
others.fill(others.Path({str(tmp_path)!r}), 1, "plain")
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert ended.returncode == 0, ended.stderr
    printed, result, left = ended.stdout.splitlines()
    assert "no fcntl" in printed
    assert (result, left) == ("nothing", "[]")
