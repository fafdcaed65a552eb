"""``sweeper summary``: blocks, layers, and what of them trains."""

import subprocess
import sys
from pathlib import Path

import pytest


def summary(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sweeper", "summary", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.more
def test_the_tensorflow_tutorial_has_its_counts(tmp_path: Path) -> None:
    ended = summary(tmp_path, "+experiment=cats_dogs_mobilenet_v2", f"dataset.data_dir={tmp_path}")
    assert ended.returncode == 0, ended.stderr
    assert "MobileNetV2 at 160 x 160 px, 19 blocks; 2 classes assumed" in ended.stdout
    assert "frozen phase: 1,281 of 2,259,265 weights train, in 2 variables" in ended.stdout
    assert "unfrozen phase: 1,862,721 of 2,259,265 weights train, in 56 variables" in ended.stdout
    (split,) = (line for line in ended.stdout.splitlines() if line.split()[:1] == ["block_11"])
    assert split.split()[1:] == ["9", "10x10x96", "120,768", "61,824"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.more
def test_each_layer_is_shown_with_a_name_that_freeze_takes(tmp_path: Path) -> None:
    ended = summary(tmp_path, "+experiment=digits_lite0", "image_size=32", "--layers")
    assert ended.returncode == 0, ended.stderr
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert ["block6d", "block6d_project_conv", "Conv2D"] in [row[:3] for row in rows]
    assert "10 classes in the data" in ended.stdout
    again = summary(
        tmp_path,
        "+experiment=digits_lite0",
        "image_size=32",
        "freeze=from_block",
        "freeze.unfreeze_from=block6d_project_conv",
    )
    assert "unfrozen phase: " in again.stdout, again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'OVERRIDES...'"),
        (["+experiment=digits_lite0", "-m"], "takes one recipe; leave out -m"),
        (["imag_size=3"], "imag_size is not a key of the recipe; did you mean 'image_size'?"),
        pytest.param(
            ["freeze=from_block", "freeze.unfreeze_from=block9"],
            "freeze.unfreeze_from must name",
            marks=pytest.mark.more,
        ),
    ],
)
def test_what_is_wrong_is_one_message(arguments: list[str], message: str, tmp_path: Path) -> None:
    ended = summary(tmp_path, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
