"""Programs that XLA compiled are kept, read by other processes, and never in the way."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sweeper.paths import xla_dir
from sweeper.train.runtime import xla_cache
from sweeper.train.runtime.xla_cache import FLAG, keep_compiled, programs_dir, sees_gpu


@pytest.fixture(autouse=True)
def flags(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None set, and none left behind."""
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    yield
    monkeypatch.undo()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags of each try; all of them work."""
    made: list[str] = []

    def succeed(flags: str) -> str:
        made.append(flags)
        return ""

    monkeypatch.setattr(xla_cache, "_try", succeed)
    return made


def test_the_flag_is_set_where_it_works_and_that_is_tried_once(tried: list[str]) -> None:
    for _ in range(2):
        os.environ["TF_XLA_FLAGS"] = "--tf_xla_max_cluster_size=9"
        keep_compiled()
        wanted = f"--tf_xla_max_cluster_size=9 {FLAG}='{programs_dir()}'"
        assert os.environ["TF_XLA_FLAGS"] == wanted
    assert tried == [wanted]


def test_a_person_has_their_way(tried: list[str]) -> None:
    for own in (f"{FLAG}=/elsewhere", f"{FLAG}="):
        os.environ["TF_XLA_FLAGS"] = own
        keep_compiled()
        assert os.environ["TF_XLA_FLAGS"] == own
    assert not tried
    assert not xla_dir().exists()


def test_where_it_does_not_work_nothing_is_kept_and_it_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(xla_cache, "_STEP", "print('noise'); raise SystemExit('no such device')")
    keep_compiled()
    monkeypatch.setattr(xla_cache, "_STEP", "")
    keep_compiled()
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert caplog.text.count("what XLA compiles is not kept: no such device (remove") == 2
    shutil.rmtree(programs_dir())
    keep_compiled()
    assert FLAG in os.environ["TF_XLA_FLAGS"]


def test_a_try_that_does_not_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(xla_cache, "_STEP", "import threading; threading.Event().wait()")
    monkeypatch.setattr(xla_cache, "_TRIED_SECONDS", 0.5)
    keep_compiled()
    assert "timed out after 0.5 seconds" in caplog.text


class Usage(NamedTuple):
    free: int


def test_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tried: list[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**8))
    keep_compiled()
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert "is nearly full; free some of it" in caplog.text


def test_a_place_that_is_no_folder(caplog: pytest.LogCaptureFixture, tried: list[str]) -> None:
    xla_dir().parent.mkdir(parents=True)
    xla_dir().write_text("a file")
    keep_compiled()
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert "what XLA compiles is not kept" in caplog.text


def test_a_place_that_flags_cannot_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tried: list[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "Ann's"))
    keep_compiled()
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert "has a quotation mark in it" in caplog.text


def test_other_devices_and_versions_have_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {programs_dir()}
    assert {programs_dir()} == seen
    for device in ("0", "1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", device)
        seen.add(programs_dir())
    monkeypatch.setattr(xla_cache, "version", lambda name: "9.9")
    seen.add(programs_dir())
    monkeypatch.setattr(xla_cache, "_read", lambda file, key: "another")
    seen.add(programs_dir())
    assert len(seen) == 5


def test_whether_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(xla_cache, "_cards", lambda: iter([]))
    assert not sees_gpu()
    monkeypatch.setattr(xla_cache, "_cards", lambda: iter([tmp_path]))
    for chosen, seen in (("-1", False), ("", False), ("0", True), ("GPU-1", True)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert sees_gpu() is seen


def test_what_was_read_longest_ago_goes_first(
    monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    monkeypatch.setattr(xla_cache, "_MOST_BYTES", 250)
    other = xla_dir() / "of another device"
    other.mkdir(parents=True)
    programs_dir().mkdir()
    for age, (folder, name, size) in enumerate(
        [
            (programs_dir(), "new.pb", 100),
            (other, "empty.pb", 0),
            (programs_dir(), "older.pb", 100),
            (other, "left.pb.tmp", 100),
            (other, "oldest.pb", 100),
        ]
    ):
        (folder / name).write_bytes(bytes(size))
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    keep_compiled()
    left = sorted(file.name for file in xla_dir().rglob("*.pb*"))
    assert left == ["new.pb", "older.pb"]


def test_a_file_that_lost_its_content_goes(tried: list[str]) -> None:
    programs_dir().mkdir(parents=True)
    for name, content in (("empty.pb", b""), ("whole.pb", b"program")):
        (programs_dir() / name).write_bytes(content)
    keep_compiled()
    assert [file.name for file in programs_dir().glob("*.pb")] == ["whole.pb"]


PROGRAM = """
import numpy as np
from sweeper.train.runtime.xla_cache import keep_compiled
keep_compiled()
import tensorflow as tf
import keras
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"),
    keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2)])
model.compile("sgd", "mse", jit_compile=True)
images = np.linspace(0, 1, 4 * 8 * 8 * 3, dtype="float32").reshape(4, 8, 8, 3)
print("loss", [float(model.train_on_batch(images, np.ones((4, 2)))) for _ in range(2)])
"""


@pytest.mark.more
def test_a_second_process_reads_what_the_first_one_compiled() -> None:
    def run() -> tuple[str, str]:
        # TensorFlow says at this level of detail that it takes a program from the disk
        spoken = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "device_executable_persistor=1"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **spoken},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout, done.stderr

    def programs() -> dict[str, Any]:
        return {file.name: file.stat().st_mtime_ns for file in programs_dir().glob("*.pb")}

    # the try itself leaves one program
    printed, first = run()
    made = programs()
    assert len(made) == 2
    again, second = run()
    assert again == printed
    assert programs() == made
    assert second.count("Loading cached entry for") > first.count("Loading cached entry for")
