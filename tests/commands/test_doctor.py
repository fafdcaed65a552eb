"""``sweeper doctor``: each line from what it is made of, then the page as a person sees it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from disks import OWN_DISK
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from patience import PATIENCE
from recipes import recipe
from rich.console import Console
from servers import free_port

from sweeper.app.preparing.memory import Memory
from sweeper.commands.doctor import accelerators, doctor_report, machine, needs, software
from sweeper.commands.doctor.apart import Failed, run_apart
from sweeper.commands.doctor.doctor_report import Line, State
from sweeper.config import Tracking
from sweeper.execute.process import ProcessExecutor
from sweeper.paths import conf_dir, file_name

OK, WARNING, BROKEN = State.OK, State.WARNING, State.BROKEN
A100 = {"name": "NVIDIA A100", "memory": 40e9, "capability": "8.0"}


class TestSoftware:
    def test_what_is_installed_here_is_within_bounds(self) -> None:
        lines = list(software.look(None))
        assert [line.name for line in lines[:8]] == [
            *("Python", "sweeper", "tensorflow", "keras", "mlflow", "optuna", "hydra-core"),
            "numpy",
        ]
        assert {line.state for line in lines} == {OK}

    def test_bounds_are_those_of_the_package(self) -> None:
        required = ["keras<3.16,>=3.15", "mlflow>=3", "rich>=14", "h5py", 'torch; extra == "gp"']
        versions = {"keras": "3.16.0", "mlflow": "3.0rc1", "rich": "13.0"}
        lines = {line.name: line for line in software.of_packages(required, versions.get)}
        assert list(lines) == ["keras", "mlflow", "h5py", "rich"]
        assert [line.state for line in lines.values()] == [WARNING, WARNING, BROKEN, WARNING]
        assert "<3.16,>=3.15" in lines["keras"].advice
        assert lines["h5py"].found == "not installed"

    def test_a_python_that_was_not_tested_is_named(self) -> None:
        assert software.of_python("3.11.7", ">=3.11,<3.14").state is OK
        assert software.of_python("3.14.0", ">=3.11,<3.14").state is WARNING

    def test_settings_that_sweeper_does_not_follow_are_named(self, tmp_path: Path) -> None:
        file = tmp_path / "keras.json"
        assert list(software.of_keras("tensorflow", file)) == []
        file.write_text('{"backend": "tensorflow", "image_data_format": "channels_last"}')
        assert list(software.of_keras(None, file)) == []
        file.write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
        backend, settings = software.of_keras("jax", file)
        assert (backend.found, backend.state) == ("jax", WARNING)
        assert settings.found == "image_data_format channels_first, floatx float16"
        file.write_text("{")
        (unreadable,) = software.of_keras(None, file)
        assert unreadable.state is WARNING


def gpus(*seen: dict[str, Any], cuda: bool = True, **named: Any) -> list[Line]:
    given: dict[str, Any] = {"listed": (), "files": (), "chosen": None, "log": ""} | named
    return list(accelerators.of_gpus({"cuda": cuda, "gpus": list(seen)}, **given))


class TestDevices:
    def test_gpus_that_tensorflow_sees(self) -> None:
        first, second = gpus(A100, A100, listed=("0", "1"), files=("/dev/nvidia0",))
        assert first.found == "NVIDIA A100, 40.0 GB for TensorFlow, compute capability 8.0"
        assert (second.name, second.state) == ("GPU 1", OK)

    def test_a_machine_without_one_is_fine(self) -> None:
        assert gpus() == gpus(chosen="-1") == [Line("devices", "GPU", "none")]

    @pytest.mark.parametrize(
        "there", [{"listed": ("0",)}, {"files": ("/dev/nvidia0",)}, {"listed": ("GPU-1",)}]
    )
    def test_one_that_tensorflow_does_not_see_is_broken(self, there: dict[str, Any]) -> None:
        (line,) = gpus(**there)
        assert line.state is BROKEN
        assert "in this machine, TensorFlow sees none" in line.found
        # the libraries are not installed here
        assert ".venv/bin/pip install -e '.[cuda]'" in line.advice
        (unbuilt,) = gpus(**there, cuda=False)
        assert "built without CUDA" in unbuilt.advice

    def test_where_the_libraries_are_there_it_is_the_driver(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accelerators, "installed", lambda _name: "1.0")
        log = "I: a line\nE: failed call to cuInit: CUDA_ERROR_NO_DEVICE\nW: another"
        (line,) = gpus(listed=("0",), log=log)
        assert "nvidia-smi must list the GPU" in line.advice
        assert line.advice.endswith("E: failed call to cuInit: CUDA_ERROR_NO_DEVICE")

    def test_some_of_several_is_broken_and_hidden_ones_are_named(self) -> None:
        _, missing = gpus(A100, listed=("0", "1"))
        assert missing.state is BROKEN
        assert "TensorFlow sees 1" in missing.found
        (hidden,) = gpus(files=("/dev/nvidia0",), chosen="-1")
        assert (hidden.found, hidden.state) == ("hidden by CUDA_VISIBLE_DEVICES=-1", WARNING)

    def test_a_tensorflow_that_does_not_start_is_broken(self) -> None:
        failed = Failed("killed by SIGILL")
        (line,) = accelerators.of_gpus(failed, (), (), None, "")
        assert (line.state, line.advice) == (BROKEN, "killed by SIGILL")

    def test_the_processor_is_named(self, tmp_path: Path) -> None:
        cpuinfo = tmp_path / "cpuinfo"
        assert accelerators.of_cpu(4, 0.0, cpuinfo).found == "of unknown model, 4 usable cores"
        cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU\n")
        assert accelerators.of_cpu(4, 4.0, cpuinfo).found == "Some CPU, 4 usable cores"
        assert accelerators.of_cpu(4, 7.0, cpuinfo).state is WARNING

    def test_xla_compiles_or_not(self) -> None:
        assert list(accelerators.of_xla("GPU", None)) == []
        outcomes = [1e-7, 0.5, float("nan"), Failed("killed by SIGABRT")]
        lines = [line for found in outcomes for line in accelerators.of_xla("CPU", found)]
        assert [line.state for line in lines] == [OK, BROKEN, BROKEN, BROKEN]
        assert lines[-1].advice == "killed by SIGABRT; train with jit_compile=false"

    @pytest.mark.parametrize(
        ("found", "step", "precision", "state", "advice"),
        [
            ({"error": 0.005, "ratio": 3.0}, 1.8, "float32", OK, "mixed_bfloat16 helps"),
            (
                {"error": 0.005, "ratio": 0.3},
                0.6,
                "float32",
                OK,
                "=float32 is better",
            ),
            ({"error": 0.005, "ratio": 3.0}, 0.6, "mixed_bfloat16", WARNING, "=float32"),
            ({"error": 0.005, "ratio": 3.0}, Failed("oom"), "float32", WARNING, "oom"),
            ({"error": 0.2, "ratio": 3.0}, 1.8, "float32", BROKEN, "=float32"),
            (Failed("InternalError"), 1.8, "float32", BROKEN, "InternalError"),
        ],
    )
    def test_bfloat16_helps_or_not(
        self, found: Any, step: Any, precision: str, state: State, advice: str
    ) -> None:
        line = accelerators.of_bfloat16(found, step, precision)
        assert line.state is state
        assert advice in line.advice

    def test_a_training_step_has_its_speed(self) -> None:
        ours = recipe("+experiment=digits_lite0")
        line = accelerators.of_step(80.0, ours, "recipe")
        assert "80 images/s, 12.5 s an epoch for every 1,000 images" in line.found
        failed = accelerators.of_step(Failed("killed by SIGKILL"), ours, "recipe")
        assert failed.state is BROKEN
        assert "lower batch_size" in failed.advice


class TestMachine:
    def test_little_memory_is_a_warning(self) -> None:
        assert machine.of_memory(Memory(16 * 10**9, 8 * 10**9)).state is OK
        little = machine.of_memory(Memory(16 * 10**9, 10**9))
        assert (little.found, little.state) == ("1.0 GB free of 16.0 GB", WARNING)
        assert machine.of_memory(None).state is OK

    def test_a_folder_need_not_be_there(self, tmp_path: Path) -> None:
        line = machine.of_folder("study", tmp_path / "new" / "folder", "key=<folder>")
        assert line.state in {OK, WARNING}
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "file").write_text("")
        refused = machine.of_folder("study", tmp_path / "file" / "folder", "key=<folder>")
        assert refused.state is BROKEN
        assert refused.advice.endswith("or set key=<folder>")

    @pytest.mark.parametrize(
        ("disk", "state", "advice"),
        [
            ("size=1g", WARNING, "free some of that disk, or set key=<folder>"),
            ("size=1m", BROKEN, "free some of that disk, or set key=<folder>"),
            ("size=1g,ro", BROKEN, "cannot be written; make it writable, or set key=<folder>"),
        ],
    )
    def test_a_disk_that_is_full_or_read_only(
        self, disk: str, state: State, advice: str, tmp_path: Path
    ) -> None:
        line = on_own_disk(disk, tmp_path, "of_folder('study', here / 'new', 'key=<folder>')")
        assert line["state"] == state
        assert line["advice"].endswith(advice)

    def test_the_budget_of_the_cache_is_compared_with_the_disk(self, tmp_path: Path) -> None:
        look = "[*of_cache(here, 10**9, 20.0)][1]"
        line = on_own_disk("size=7g", tmp_path, look)
        assert line["found"] == "1.0 GB kept of 20 GB (cache.budget_gb)"
        assert line["state"] == WARNING
        assert "cache.budget_gb=4.3" in line["advice"]
        assert on_own_disk("size=7g", tmp_path, look.replace("20.0", "8.0"))["state"] == OK
        assert len(list(machine.of_cache(tmp_path, 0, 0))) == 1


def on_own_disk(options: str, folder: Path, expression: str) -> Any:
    """A line of ``machine`` about ``here``, a disk of its own."""
    code = f"""
import dataclasses, json
from pathlib import Path
from sweeper.commands.doctor.machine import *
here = Path({str(folder)!r})
print(json.dumps(dataclasses.asdict({expression})))
"""
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", OWN_DISK, "sh", options, folder, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


class TestInputs:
    def test_a_server_that_is_down_is_broken_and_its_password_hidden(self) -> None:
        uri = f"http://me:secret@127.0.0.1:{free_port()}"
        line = needs.of_tracking(Tracking(uri=uri, experiment="x"))
        assert line.state is BROKEN
        assert "Connection refused" in line.advice
        assert "secret" not in doctor_report.to_json([line])

    def test_a_database_that_is_down_is_broken(self) -> None:
        uri = f"postgresql+psycopg://me:secret@127.0.0.1:{free_port()}/runs"
        line = needs.of_tracking(Tracking(uri=uri, experiment="x"))
        assert line.state is BROKEN
        assert "tracking.uri" in line.advice

    def test_stores_that_are_to_be_made_are_fine(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert needs.of_tracking(Tracking(uri="sqlite:///runs.db", experiment="x")).state is OK
        for storage in ("sqlite:///studies.db", "null"):
            hydra = hydra_of(f"hydra.sweeper.storage={storage}")
            assert needs.of_studies(hydra).state is OK
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "storage", ["nonsense", "sqlite:///text", "postgresql+psycopg://a:1/b"]
    )
    def test_a_store_of_studies_that_is_none_is_broken(
        self, storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "text").write_text("this is no database, it is text")
        line = needs.of_studies(hydra_of(f"hydra.sweeper.storage={storage}"))
        assert line.state is BROKEN
        assert "hydra.sweeper.storage" in line.advice

    def test_settings_of_the_search_that_are_wrong_are_broken(self) -> None:
        line = needs.of_studies(hydra_of("hydra.sweeper.n_trials=none"))
        assert line.state is BROKEN
        assert "hydra.sweeper.n_trials" in line.advice

    def test_weights(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def of(*overrides: str) -> Line:
            return needs.of_weights(recipe("+experiment=digits_lite0", *overrides).backbone, "r")

        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
        assert of().found == "ImageNet, in a package"
        assert of("backbone.weights=null").found == "random, none are needed"
        assert of("backbone=xception", "backbone.weights=nowhere.h5").state is BROKEN
        assert of("backbone=xception").state is BROKEN
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "xception_weights.h5").write_text("")
        assert of("backbone=xception").found == f"ImageNet, in {tmp_path}/models"

    def test_data(self) -> None:
        tfds = recipe("+experiment=dogs_b0").dataset
        there = needs.of_data(tfds, {"images": 12000, "classes": 120}, "r")
        assert there.found == "stanford_dogs: 12,000 images to train on, 120 classes"
        outcomes = [{"missing": "m", "reachable": True}, {"missing": "m", "reachable": False}]
        states = [needs.of_data(tfds, found, "r").state for found in [*outcomes, Failed("x")]]
        assert states == [WARNING, BROKEN, BROKEN]


def hydra_of(*overrides: str) -> Any:
    OmegaConf.register_new_resolver("file_name", lambda text: file_name(str(text)), replace=True)
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True).hydra


def fine() -> int:
    return 5


def raises() -> None:
    raise ValueError("wrong")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGILL)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    folder = tmp_path_factory.mktemp("apart")
    executor = ProcessExecutor((), folder / "server.log")
    return partial(run_apart, executor=executor, log=folder / "checks.log")


class TestApart:
    def test_what_kills_a_check_is_its_outcome(self, apart: Callable[..., Any]) -> None:
        checks = {"a": fine, "b": raises, "c": dies, "d": fine, "e": dies, "f": fine}
        assert apart(checks) == {
            **dict.fromkeys("adf", 5),
            "b": Failed("ValueError: wrong"),
            **{name: Failed("killed by SIGILL") for name in "ce"},
        }

    def test_without_the_first_there_are_no_others(self, apart: Callable[..., Any]) -> None:
        assert apart({"a": dies, "b": fine}) == {"a": Failed("killed by SIGILL")}


def test_the_page_is_aligned_and_its_verdict_comes_last() -> None:
    lines = [
        Line("software", "Python", "3.11.7"),
        Line("devices", "GPU", "none [of them]", BROKEN, "set uri=http://me:secret@host"),
        Line("devices", "CPU", "x", WARNING),
    ]
    console = Console(width=100, record=True, force_terminal=False)
    doctor_report.print_page(lines, console)
    shown = [line.rstrip() for line in console.export_text().splitlines()]
    assert shown == [
        "software",
        "  Python  3.11.7          ok",
        "devices",
        "  GPU     none [of them]  broken: set uri=http://***@host",
        "  CPU     x               warning",
        "broken: 1, warnings: 1",
    ]


@pytest.mark.slow
@pytest.mark.more
def test_this_machine_can_train_the_embedded_recipe(tmp_path: Path) -> None:
    ended = doctor(tmp_path, "--json", "+experiment=digits_lite0", "image_size=32")
    assert ended.returncode == 0, ended.stdout
    lines = {line["name"]: line for line in json.loads(ended.stdout)}
    assert "relative error" in lines["XLA on CPU"]["found"]
    assert "times the speed of float32" in lines["bfloat16"]["found"]
    assert "images/s" in lines["training step"]["found"]
    assert "1,438 images" in lines["data"]["found"]
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.more
def test_what_is_broken_is_the_exit_code(tmp_path: Path) -> None:
    uri = f"http://me:secret@127.0.0.1:{free_port()}"
    ended = doctor(tmp_path, f"tracking.uri={uri}", "image_size=32", "backbone.weights=nowhere.h5")
    assert ended.returncode == 1, ended.stderr
    assert "broken: 2" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []


def doctor(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sweeper", "doctor", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
