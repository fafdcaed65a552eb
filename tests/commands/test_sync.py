"""``sweeper sync``, on what a trial has left; how it is delivered is tested with the delivery."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from sweeper.commands.sync import command
from sweeper.errors import SweeperError
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.journal import Journal, NewRun


def sync(*words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(command, words, standalone_mode=False)
    if ended.exception is not None:
        raise ended.exception
    return ended.return_value, ended.output


def record(folder: Path, uri: str) -> None:
    journal = Journal(MlflowPaths(folder / "mlflow"))
    journal.start(NewRun(uri, "one", "run", {"of": folder.name}, {}, ""))
    journal.log_metrics({"loss": 0.5}, 0)


def test_all_below_the_folder_is_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for name in ("experiments/a", "experiments/a/trials/0000", "experiments/b"):
        record(tmp_path / name, uri)
    assert sync("experiments/b") == (0, "MLflow has all that was recorded\n")
    assert sync()[0] == 0
    runs = MlflowClient(uri).search_runs(["1"])
    assert sorted(run.data.tags["of"] for run in runs) == ["0000", "a", "b"]
    assert all(run.data.metrics == {"loss": 0.5} for run in runs)


def test_an_address_that_had_credentials_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, "http://***@127.0.0.1:9")
    with pytest.raises(SweeperError, match="set MLFLOW_TRACKING_URI"):
        sync(str(tmp_path))
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # set by what is called here, and taken back afterwards
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    with pytest.raises(SweeperError, match="refused") as refused:
        sync(str(tmp_path))
    assert "secret" not in str(refused.value)
