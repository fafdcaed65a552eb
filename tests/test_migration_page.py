"""Both sides of each comparison in docs/migration.md, on a folder of pictures that this makes."""

import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml
from patience import PATIENCE
from test_tutorial import photographs

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
APPLICATION = """
import hydra


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    return (config.rate - 0.05) ** 2


if __name__ == "__main__":
    main()
"""

pytestmark = pytest.mark.slow


def blocks(part: str) -> list[str]:
    """The blocks of code below a heading: theirs, then ours."""
    text = PAGE.split(f"## From {part}\n")[1].split("\n## ")[0]
    return re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)


def run(folder: Path, *command: str | Path) -> str:
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def ours(folder: Path, line: str, *words: str) -> str:
    assert line.startswith("python -m sweeper ")
    return run(folder, sys.executable, "-m", "sweeper", *shlex.split(line)[3:], *words)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    photographs(folder)
    return folder


def script(folder: Path, code: str) -> None:
    (folder / "script.py").write_text(code.replace('weights="imagenet"', "weights=None"))
    run(folder, sys.executable, "script.py")


@pytest.mark.more
def test_a_plain_script(project: Path) -> None:
    theirs, line = blocks("a plain Keras script")
    script(project, theirs)
    assert (project / "model.keras").exists()
    ours(project, line, "backbone.weights=null", "hydra.run.dir=single")
    assert (project / "single" / "model.keras").exists()


@pytest.mark.more
def test_keras_tuner(project: Path) -> None:
    pytest.importorskip("keras_tuner")
    theirs, line = blocks("KerasTuner")
    script(project, theirs)
    # of rates drawn at random some are so high that the loss check prunes the trial, as it should
    seed = "hydra.sweeper.sampler.seed=2"
    shown = ours(project, line, "backbone.weights=null", "freeze=scratch", seed)
    assert "2 trials (2 complete" in shown


def application(folder: Path, configuration: str) -> Path:
    folder.mkdir()
    (folder / "app.py").write_text(APPLICATION)
    (folder / "config.yaml").write_text(configuration)
    return folder


def test_hydra_optuna_sweeper_ours(tmp_path: Path) -> None:
    theirs, mine = blocks("hydra-optuna-sweeper")
    assert mine == theirs.replace("sweeper: optuna", "sweeper: async_optuna")
    folder = application(tmp_path / "app", mine)
    run(folder, sys.executable, "app.py", "-m")
    (results,) = folder.rglob("optimization_results.yaml")
    assert 0 <= yaml.safe_load(results.read_text())["best_value"] < 1
    assert len(list(folder.rglob("overrides.yaml"))) == 4


@pytest.mark.more
def test_hydra_optuna_sweeper_theirs(tmp_path: Path) -> None:
    theirs, _ = blocks("hydra-optuna-sweeper")
    venv.create(tmp_path / "peer", with_pip=True)
    python = tmp_path / "peer" / "bin" / "python"
    wanted = ROOT / "experiments" / "engine" / "requirements-peer.txt"
    run(tmp_path, python, "-m", "pip", "install", "-q", "-r", wanted)
    folder = application(tmp_path / "app", theirs)
    run(folder, python, "app.py", "-m")
    assert list(folder.rglob("optimization_results.yaml"))
