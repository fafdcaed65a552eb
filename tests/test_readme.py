"""The page in a study's folder, without a study."""

import re
import subprocess
from pathlib import Path
from subprocess import PIPE

import optuna
import pytest
import yaml

from sweeper.app.pages.best_recipe import write_winner
from sweeper.app.pages.readme import _FILES, Page
from sweeper.records import State, StudySummary, TrialRow
from sweeper.search.hooks import Entry
from sweeper.search.stores.opening import open_store
from sweeper.search.study import open_study, put_aside
from sweeper.study_files.study_paths import StudyPaths

ROOT = Path(__file__).parents[1]
PLAN = [Entry("study", "first"), Entry("MLflow", "its page:", "http://me:secret@host:5000")]
PAGE = Page(
    ["+experiment=a", "-m", "tracking.uri=http://me:secret@host:5000"],
    PLAN,
    "postgresql://me:secret@host/studies",
    "http://me:secret@host:5000",
)


def ignored(*names: str) -> set[str]:
    """Those of the files of a study in the checkout that git does not show as new."""
    asked = "\n".join(f"experiments/digits_lite0/{name}" for name in names)
    found = subprocess.run(
        ["git", "check-ignore", "--stdin"],
        check=False,
        cwd=ROOT,
        input=asked,
        stdout=PIPE,
        text=True,
    )
    return {Path(line).name for line in found.stdout.splitlines()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not in a checkout")
def test_a_sweep_in_the_checkout_leaves_git_status_clean() -> None:
    page = _FILES.split("| `... config.yaml`")[0]
    names = {Path(name).name for name in re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)}
    names |= {"STUDY.md"}
    assert {"study.json", "mlflow", "0007"} <= names
    assert ignored(*names) == names
    assert not ignored("README.md", "curves.png")


def study(folder: Path, *values: float) -> StudySummary:
    names = ("val_accuracy", "flops")[: len(values)]
    best = TrialRow(3, State.COMPLETE, values, 1.0, {"a.b": 0.25}, folder / "trials" / "0003")
    pruned = TrialRow(4, State.PRUNED, (), 1.0, {}, folder / "trials" / "0004")
    return StudySummary(
        "first", folder, (True,) * len(values), (best, pruned), best, (best,), names
    )


def test_the_page_is_brought_up_to_date_and_holds_no_secret(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    PAGE.write(StudySummary("first", tmp_path, (True,), (), None), "running since noon")
    begun = page.read_text()
    assert "- State: running since noon.\n- Trials: none has ended yet.\n- Best: none yet." in begun
    PAGE.write(study(tmp_path, 0.5), "finished at one", "test accuracy 0.4")
    ended = page.read_text()
    assert "1 complete, 1 pruned, 0 failed" in ended
    assert "- Best: trial 3, val_accuracy 0.5, with `a.b=0.25`." in ended
    assert "- Test of the best: test accuracy 0.4." in ended
    assert "study     first\nMLflow    its page:\n          http://***@host:5000" in ended
    for text in (begun, ended):
        assert "secret" not in text
        assert "tracking.uri=http://***@host:5000" in text


def test_several_objectives_and_no_database(tmp_path: Path) -> None:
    Page([], [], None, "here").write(study(tmp_path, 0.5, 7.0), "running")
    text = (tmp_path / "README.md").read_text()
    assert "trial 3 (one of 1 on the Pareto front), val_accuracy 0.5, flops 7" in text
    assert "kept in memory only" in text
    assert "how it ended, `val_accuracy`, `flops`, the 95 % interval" in text


def test_a_page_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "README.md"
    theirs.write_bytes(b"# My notes \xff")
    for state in ("running", "finished"):
        PAGE.write(study(tmp_path, 0.5), state)
    assert theirs.read_bytes() == b"# My notes \xff"
    assert "- State: finished." in (tmp_path / "STUDY.md").read_text()


@pytest.mark.parametrize("theirs", [True, False])
def test_a_study_that_is_put_aside_takes_its_page_along(tmp_path: Path, theirs: bool) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    if theirs:
        (folder / "README.md").write_text("# My notes")
    PAGE.write(study(folder, 0.5), "finished")
    store = open_store(f"sqlite:///{tmp_path}/studies.db", "first", 60)
    try:
        sampler, pruner = optuna.samplers.RandomSampler(), optuna.pruners.NopPruner()
        put_aside(open_study("first", store, ("maximize",), sampler, pruner), store, folder)
    finally:
        store.close()
    assert (folder / "README.md").exists() is theirs
    page = "STUDY.md" if theirs else "README.md"
    assert not (folder / page).exists()
    assert (folder / "archive" / "first-1" / page).exists()


def test_a_winner_without_a_test(tmp_path: Path) -> None:
    write_winner(study(tmp_path, 0.5), {"model_val_loss": 0.1}, "run")
    winner = yaml.safe_load(StudyPaths(tmp_path).winner.read_text())
    assert winner["test"] is None
    assert winner["model"] == {"model_val_loss": 0.1}
    assert winner["folder"] == "trials/0003"
