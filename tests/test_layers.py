"""One direction of imports, and nothing heavy in the controller."""

import subprocess
import sys

HEAVY = ("tensorflow", "keras", "mlflow", "matplotlib", "sklearn", "pandas")


def test_imports_point_down_only() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_controllers_rooms_import_nothing_heavy() -> None:
    code = f"""
import importlib, pkgutil, sys, sweeper
import hydra_plugins.async_optuna
for module in pkgutil.walk_packages(sweeper.__path__, "sweeper."):
    if not module.name.startswith(("sweeper.train", "sweeper.data", "sweeper.models")):
        importlib.import_module(module.name)
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
