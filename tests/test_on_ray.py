"""A sweep on three nodes of Ray, of which one dies: the same results as on this machine."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import ENVIRONMENT, Nodes
from patience import PATIENCE

import sweeper

RECIPE = (
    *("+experiment=digits_lite0", "image_size=32", "batch_size=64", "dataset.fraction=0.5"),
    *("phases.frozen.epochs=2", "phases.unfrozen.epochs=3", "hydra.sweeper.n_trials=6"),
    *("hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=1", "name=digits", "-m"),
    *("hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=100"),
)


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    made = Nodes(tmp_path_factory.mktemp("nodes"))
    yield made
    made.close()


def begin(folder: Path, *words: str) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "sweeper", *RECIPE, *words],
        cwd=folder,
        env={**ENVIRONMENT, "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def on(nodes: Nodes) -> str:
    return f"hydra.sweeper.executor={{kind: ray, address: '{nodes.address}', num_cpus: 2}}"


def finished(process: "subprocess.Popen[str]") -> str:
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed
    return printed


def leaderboard(folder: Path) -> list[dict[str, str]]:
    with (folder / "experiments/digits/leaderboard.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def values(rows: list[dict[str, str]]) -> dict[str, str]:
    """The value of each complete trial, by its parameters."""
    searched = [name for name in rows[0] if "." in name]
    return {
        json.dumps([row[name] for name in searched]): row["val_accuracy"]
        for row in rows
        if row["state"] == "complete"
    }


def curves(folder: Path) -> dict[str, list[Any]]:
    """Losses of each complete trial, by its overrides."""
    found = {}
    for result in (folder / "experiments/digits/trials").glob("*/result.json"):
        if json.loads(result.read_text())["state"] == "complete":
            lines = (result.parent / "metrics.jsonl").read_text().splitlines()
            overrides = (result.parent / ".hydra/overrides.yaml").read_text()
            found[overrides] = [json.loads(line)["metrics"]["val_loss"] for line in lines]
    return found


@pytest.mark.slow
@pytest.mark.more
def test_a_node_dies_and_all_is_as_on_one_machine(tmp_path: Path, nodes: Nodes) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    nodes.start_all(others=2)
    printed, begun = "", set[str]()
    with begin(there, on(nodes)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("trial ") and "epoch" in line and len(begun) < 3:
                begun.add(line.split()[1])
                if len(begun) == 3:  # on each node
                    nodes.kill_one()
    assert process.returncode == 0, printed
    assert "raylet" not in printed
    expected = finished(begin(here, "hydra.sweeper.executor.threads=2"))

    rows = leaderboard(there)
    assert [row["state"] for row in rows] == ["complete"] * 6 + ["failed"]
    assert "was lost; tried again" in rows[-1]["reason"]
    assert list(rows[0]) == list(leaderboard(here)[0])
    assert values(rows) == values(leaderboard(here)), expected
    assert curves(there) == curves(here)
    assert len(curves(there)) == 6


@pytest.mark.slow
@pytest.mark.more
def test_a_node_with_another_disk_and_without_sweeper_does_all_work(
    tmp_path: Path, nodes: Nodes
) -> None:
    there, package = tmp_path / "there", Path(sweeper.__file__).parent
    tried = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    if tried.returncode:
        pytest.skip("folders cannot be hidden from a process here")
    nodes.start_all(others=0, of_head=0)
    nodes.start(f"--address={nodes.address}", "--num-cpus=2", hidden=[tmp_path, package])
    printed = finished(begin(there, on(nodes), "hydra.sweeper.n_trials=2"))
    assert not (there / "cache").exists()
    assert [row["state"] for row in leaderboard(there)] == ["complete"] * 2
    study = there / "experiments/digits"
    for trial in (study / "trials").iterdir():
        lines = (trial / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == 5
        assert "epoch" in (trial / "logs/trial.log").read_text()
        assert (trial / "plots").is_dir()
        assert not list(trial.glob("checkpoints/*"))
    assert len(list(study.glob("trials/*/model.keras"))) == 1
    assert (study / "report.html").stat().st_size > 1_000_000
    assert "test accuracy" in printed


@pytest.mark.slow
@pytest.mark.more
def test_trials_end_with_a_controller_that_is_killed_and_continue(
    tmp_path: Path, nodes: Nodes
) -> None:
    nodes.start_all(others=0)
    with begin(tmp_path / "killed", on(nodes), "hydra.sweeper.n_trials=1") as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "unfrozen epoch 3" in line:
                first.kill()
                break
        first.wait(PATIENCE)
    again = finished(begin(tmp_path / "killed", on(nodes), "hydra.sweeper.n_trials=1"))
    assert "1 trials were interrupted" in again
    (row,) = (row for row in leaderboard(tmp_path / "killed") if row["state"] == "complete")
    log = tmp_path / f"killed/experiments/digits/trials/{int(row['number']):04d}/logs/trial.log"
    assert "resumes after epoch" in log.read_text()
