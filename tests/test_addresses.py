"""Addresses with any path, and without credentials."""

import os
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from sweeper.addresses import move_credentials, redact, sqlite_file, sqlite_url
from sweeper.paths import file_name

PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(PATHS)
def test_any_path_is_found_again_by_its_address(name: str) -> None:
    url = sqlite_url(Path("/folder") / name.strip("/"))
    assert sqlite_file(url) == Path("/folder") / name.strip("/")
    assert sqlalchemy.make_url(url).database == str(Path("/folder") / name.strip("/"))
    assert url.format() == url  # Optuna fills in a template


def test_what_is_no_file_has_none() -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "postgresql://host/db", "http://host", "x"):
        assert sqlite_file(url) is None
    assert sqlite_file("sqlite+pysqlite:///a.db?timeout=3") == Path("a.db")
    assert sqlite_file("sqlite:///file:a%2520b.db?uri=true") == Path("a%20b.db")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host:5000/path",
        "https://me:se@secret@host",
        "postgresql+psycopg://me:secret@host/studies",
        "mysql+pymysql://secret@host",
        "postgresql://host/studies?user=me&password=secret&sslmode=off",
        "http://host?access_token=secret",
    ],
)
def test_credentials_are_not_shown(url: str) -> None:
    text = redact(f"MLflow at '{url}' cannot be used, {url} refused")
    assert "secret" not in text
    assert "host" in text
    assert text.endswith(" refused")


def test_what_has_no_credentials_is_shown_as_it_is() -> None:
    text = "sqlite:////home/me@work/mlflow.db +optimizer@phases.frozen.optimizer=sgd a:b@c /x?a=b"
    assert redact(text) == text


def test_mlflow_gets_credentials_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "before")
    assert move_credentials("sqlite:///x.db") == "sqlite:///x.db"
    assert move_credentials("postgresql://a:b@host/x") == "postgresql://a:b@host/x"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "before"
    assert move_credentials("https://me:p%40ss@host:1/a?b") == "https://host:1/a?b"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss"


@given(st.lists(st.text(), unique=True, min_size=2, max_size=2))
def test_any_text_becomes_the_name_of_one_file(texts: list[str]) -> None:
    names = [file_name(text) for text in texts]
    assert names[0] != names[1]
    for name in names:
        assert Path("a") / name == Path(f"a/{name}")
        assert (Path("a") / name).parent == Path("a")
        assert name not in (".", "..")
        assert len(name.encode()) <= 150


def test_good_names_stay_as_they_are() -> None:
    for name in ("dogs", "a b", "my [old] (2) photos", "0.5", ".hidden", "größe"):
        assert file_name(name) == name
