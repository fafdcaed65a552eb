"""``sweeper serve`` as a real server on a loopback port."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE
from PIL import Image
from saved.saved_models import NAMES, saved
from sklearn.datasets import load_sample_image

from sweeper.saved.classifier import SavedClassifier

_ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "model.keras")


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "sweeper", "serve", str(model), "--port", "0"],
        cwd=model.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + process.stdout.read()
        yield found[0]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(PATIENCE) in (0, 130)
        assert "Traceback" not in rest


def photograph(kind: str, orientation: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[_ORIENTATION] = orientation
    Image.fromarray(load_sample_image("china.jpg")).save(file, kind, exif=exif)
    return file.getvalue()


def post(url: str, body: bytes, kind: str = "application/octet-stream") -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(("kind", "orientation"), [("PNG", 1), ("JPEG", 1), ("JPEG", 6)])
def test_an_image_as_it_is_gets_its_probabilities(
    model: Path, address: str, kind: str, orientation: int
) -> None:
    encoded = photograph(kind, orientation)
    classifier = SavedClassifier.load(model)
    (expected,) = classifier.probabilities([classifier.decoded(encoded)])
    status, answer = post(f"{address}/predict", encoded)
    assert status == 200
    assert list(answer["probabilities"]) == list(NAMES)
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-6)
    assert answer["class"] == NAMES[int(expected.argmax())]
    assert answer["probability"] == max(answer["probabilities"].values())
    body = json.dumps({"inputs": [{"image": base64.b64encode(encoded).decode()}]}).encode()
    status, answer = post(f"{address}/invocations", body, "application/json")
    assert status == 200
    (row,) = answer["predictions"]
    np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=1e-6)


def test_what_is_no_image_is_refused_and_the_server_lives(address: str) -> None:
    for body in (b"", b"no image", photograph("JPEG")[:500]):
        status, answer = post(f"{address}/predict", body)
        assert status == 400
        assert answer["error"]
    assert post(f"{address}/predict", photograph("PNG"))[0] == 200


def test_the_model_is_described(address: str) -> None:
    with urllib.request.urlopen(f"{address}/", timeout=PATIENCE) as answer:
        described = json.load(answer)
    assert described["classes"] == list(NAMES)
    with urllib.request.urlopen(f"{address}/ping", timeout=PATIENCE) as answer:
        assert answer.status == 200


@pytest.mark.more
def test_an_address_that_is_taken_is_named(model: Path, address: str) -> None:
    port = address.rsplit(":", 1)[1]
    ended = subprocess.run(
        [sys.executable, "-m", "sweeper", "serve", str(model), "--port", port],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
