"""The wheel carries the recipes and the plugin, and runs from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sweeper.paths import PACKAGE


@pytest.mark.slow
def test_the_wheel_runs_from_an_empty_folder(tmp_path: Path) -> None:
    root = PACKAGE.parent
    if not (root / "pyproject.toml").exists():
        pytest.fail("build the wheel from a checkout")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "-o",
            str(tmp_path),
            str(root),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(site)
    assert "sweeper/conf/experiment/digits_lite0.yaml" in names
    assert "hydra_plugins/async_optuna/__init__.py" in names
    assert not any(name.startswith(("tests/", "conf/", "experiments/")) for name in names)
    code = (
        "import runpy, sweeper; print(sweeper.__file__); "
        "runpy.run_module('sweeper', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "+experiment=digits_lite0", "--cfg", "job"],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert str(site) in ended.stdout
    assert "name: digits_lite0" in ended.stdout
