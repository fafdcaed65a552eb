"""``sweeper dashboard``: a real optuna-dashboard, whose notes link to MLflow's runs."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import optuna
import pytest
from entry import run
from made_studies import Made
from optuna_dashboard import save_note
from patience import PATIENCE
from servers import free_port

from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.study_files.study_paths import StudyPaths

URI = "sqlite:///experiments/studies.db"


def deliver(paths: MlflowPaths, uri: str, run_id: str) -> None:
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.delivered.write_text(json.dumps({"uri": uri, "run_id": run_id}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A store with a study of three trials, of which MLflow has two runs, one on a server."""
    made = Made(tmp_path / "experiments" / "digits")
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/experiments/studies.db")
    study.set_user_attr("study_id", "id")
    uris = ["sqlite:///mlruns/mlflow.db", "http://127.0.0.1:7777", ""]
    for number, uri in enumerate(uris):
        paths = made.add()
        trial = study.ask()
        if uri:
            deliver(paths.mlflow, uri, f"run{number}")
        if number == 1:
            save_note(trial, "mine")
        study.tell(trial, number)
    deliver(StudyPaths(made.folder).mlflow, uris[0], "parent")
    return tmp_path


def asked(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return json.load(answer)


@pytest.mark.more
def test_trials_link_to_their_runs_and_a_persons_notes_stay(project: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "sweeper", "dashboard", "--port", str(port)],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    ) as process:
        try:
            assert process.stdout is not None
            while True:  # it says that it listens before it does
                assert process.poll() is None, process.stdout.read()
                with contextlib.suppress(URLError):
                    found = asked(port, "/api/studies/1")
                    break
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert "http://127.0.0.1:5000/#/runs/parent" in found["note"]["body"]
    notes = [trial["note"]["body"] for trial in found["trials"]]
    assert "[Trial 0 in MLflow](http://127.0.0.1:5000/#/runs/run0)" in notes[0]
    assert notes[1:] == ["mine", ""]


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "dashboard")
    assert ended.code == 2
    assert "there is no file experiments/studies.db" in ended.screen


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        ("postgresql+psycopg://me:pw-7391@127.0.0.1:1/studies", "//***@127.0.0.1:1/studies cannot"),
        ("journal:///none", "there is no file none"),
        ("nonsense", "it is no address"),
    ],
)
def test_a_store_that_cannot_be_opened_is_one_message(
    tmp_path: Path, storage: str, why: str
) -> None:
    ended = run(tmp_path, "dashboard", "--storage", storage)
    assert ended.code == 2
    assert why in ended.screen
    assert "pw-7391" not in ended.screen
