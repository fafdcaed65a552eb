"""Looking for a model in a store that nobody has made makes none."""

from pathlib import Path

import pytest

from sweeper.errors import MissingInput
from sweeper.saved.mlflow_models import download


@pytest.mark.parametrize(
    "model", ["models:/mine@x", "models:/mine/1", "models:/mine", f"runs:/{'0' * 32}", "0" * 32]
)
@pytest.mark.parametrize("uri", ["sqlite:///mlruns/mlflow.db", "sqlite:///mlflow.db?timeout=3"])
def test_a_database_that_is_absent_is_not_made(
    model: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingInput, match=r"has no .*: there is no such database; set MLFLOW_TR"):
        download(model, uri)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_stays_empty(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.touch()
    with pytest.raises(MissingInput, match="there is no such database"):
        download("models:/mine@x", f"sqlite:///{file}")
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert file.stat().st_size == 0
