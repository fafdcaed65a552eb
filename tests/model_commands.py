"""Commands on models, run as a person runs them, and photographs for them."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from patience import PATIENCE
from PIL import Image
from sklearn.datasets import load_sample_image

_ORIENTATION = 0x0112


def sweeper(folder: Path, *words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sweeper", *words],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


def done(folder: Path, *words: str, code: int = 0) -> str:
    ended = sweeper(folder, *words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def pictures(folder: Path) -> list[Path]:
    """One photograph as PNG and as JPEG, and as a JPEG that EXIF turns upright."""
    photograph = Image.fromarray(load_sample_image("china.jpg"))
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    photograph.save(folder / "plain.png")
    photograph.save(folder / "plain.jpg")
    photograph.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif)
    return [folder / name for name in ("plain.png", "plain.jpg", "turned.jpg")]


@contextlib.contextmanager
def served(project: Path, model: str) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "sweeper", "serve", model, "--port", "0"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found
        try:
            yield found[0]
        finally:
            process.terminate()
            process.stdout.read()


def asked(address: str, body: bytes) -> dict[str, float]:
    with urllib.request.urlopen(address, body, timeout=PATIENCE) as answer:
        probabilities: dict[str, float] = json.load(answer)["probabilities"]
        return probabilities
