"""A study is of one data set: it is not continued with other images, labels or splits."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RunCli = Callable[..., subprocess.CompletedProcess[str]]


def write_image(path: Path, shade: int) -> None:
    random = np.random.default_rng(shade)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(shade, shade + 50, (40, 36, 3), np.uint8)).save(path)


@pytest.mark.slow
@pytest.mark.more
def test_a_study_is_not_continued_with_other_images(cli: RunCli, tmp_path: Path) -> None:
    for number in range(12):
        for index, name in enumerate(("dark", "light")):
            write_image(tmp_path / "images" / name / f"{number}.png", 100 * index + number)

    def sweep(trials: int) -> subprocess.CompletedProcess[str]:
        small = ("image_size=32", "batch_size=8", "phases.frozen.epochs=1", "freeze=head_only")
        return cli(
            *("name=photos", "dataset=folder", "dataset.path=images", "backbone.weights=null"),
            *("backbone=efficientnet_lite0", "phases.unfrozen=null", "-m", *small),
            *("optimizer.learning_rate=1e-3,1e-2", f"hydra.sweeper.n_trials={trials}"),
        )

    began = sweep(1)
    assert began.returncode == 0, began.stderr
    added = tmp_path / "images" / "dark" / "12.png"
    write_image(added, 12)
    refused = sweep(2)
    assert refused.returncode == 2
    assert "data is 16 images train, 4 validate, 5 test (names, labels" in refused.stderr
    assert "but the trials of study photos have 15 images train, 4 validate, 5" in refused.stderr
    assert "hydra.sweeper.resume=false" in refused.stderr

    added.unlink()
    continued = sweep(2)
    assert continued.returncode == 0, continued.stderr
    assert "(continues" in continued.stdout
