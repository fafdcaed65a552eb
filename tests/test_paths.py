import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.disk.files import write_aside
from sweeper.execute.on_ray.copied_files import CopiedFiles, Piece
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


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o027, 0o077])
def test_files_are_as_readable_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_aside(tmp_path / "own" / "file", "a")
        (tmp_path / "plain").write_text("a")
        write_aside(tmp_path / "plain", "b")
        CopiedFiles(tmp_path).take(Piece("sent/file", 0, b"c", True))
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {
        path: (0o777 if path.is_dir() else 0o666) & ~umask for path in tmp_path.rglob("*")
    }


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_nobody_else_can_read_what_a_sweep_with_a_private_umask_writes(tmp_path: Path) -> None:
    search = ("-m", "~hydra.sweeper.params", "batch_size=64", "hydra.sweeper.n_trials=1")
    short = ("image_size=32", "dataset.fraction=0.2", "phases.frozen.epochs=1")
    ended = subprocess.run(
        [sys.executable, "-m", "sweeper", "+experiment=digits_lite0", *short, *search],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = list(tmp_path.rglob("*"))
    assert {"experiments", "mlruns", "cache"} <= {path.name for path in found}
    others = [path for path in found if path.lstat().st_mode & 0o77 and not path.is_symlink()]
    assert others == []
