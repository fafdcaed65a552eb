"""One direction of imports, and nothing heavy in the controller."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "mlflow", "matplotlib", "sklearn", "pandas")


def test_imports_point_down_only() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_no_two_modules_have_one_name() -> None:
    modules = (Path(__file__).parents[1] / "sweeper").rglob("*.py")
    names = Counter(module.name for module in modules if not module.name.startswith("__"))
    assert not [name for name, count in names.items() if count > 1]


AT_WORK = (
    *("sweeper.train", "sweeper.data", "sweeper.models", "sweeper.pictures"),
    *(f"sweeper.saved.{name}" for name in ("classifier", "mlflow_folder", "pyfunc", "stream")),
    *(f"sweeper.saved.{name}" for name in ("http_server", "judging", "metrics")),
    *("sweeper.improve.", "sweeper.promote.", "sweeper.data_doctor."),
    *("sweeper.html_report.", "sweeper.report_material."),
    *(f"sweeper.export.{name}" for name in ("exporting", "float32", "keras_file", "litert")),
    *(f"sweeper.export.{name}" for name in ("onnx_file", "savedmodel")),
)
"""Rooms and modules that compute."""


def test_the_controllers_rooms_import_nothing_heavy() -> None:
    code = f"""
import importlib, pkgutil, sys, sweeper
import hydra_plugins.async_optuna
for module in pkgutil.walk_packages(sweeper.__path__, "sweeper."):
    if not module.name.startswith({AT_WORK!r}):
        importlib.import_module(module.name)
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_trial_has_no_way_to_wait_for_mlflow() -> None:
    code = """
import sys
import sweeper.app.recorded, sweeper.app.task, sweeper.train.trial, sweeper.train.runtime.preload
print("mlflow" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            ["dataset=folder", "dataset.path=nowhere", "name=mine"], marks=pytest.mark.more
        ),
        pytest.param(
            ["dataset=csv", "dataset.path=nowhere", "name=mine", "-m"], marks=pytest.mark.more
        ),
        ["+experiment=digits_lite0", "-m", "hydra.sweeper.storage=nonsense"],
        ["+experiment=digits_lite0", "-m", "tracking.uri=http://127.0.0.1:9"],
        pytest.param(
            ["+experiment=digits_lite0", "tracking.uri=http://127.0.0.1:9"], marks=pytest.mark.more
        ),
        ["+experiment=digits_lite0", "backbone=xception", "backbone.weights=nowhere.h5"],
        pytest.param(["+experiment=digits_lite0", "image_size=20000"], marks=pytest.mark.more),
        pytest.param(["+experiment=digits_lite0", "batch_size=0", "-m"], marks=pytest.mark.more),
    ],
    ids=lambda words: " ".join(words)[-50:],
)
def test_a_refusal_needs_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = f"""
import sys
from collections import Counter
from pathlib import Path

import pytest
from sweeper.__main__ import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit as ended:
    print(ended.code, sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "2 []", ended.stderr
    assert list(tmp_path.iterdir()) == []
