"""``sweeper cache``, as a person runs it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from others import KEY, SIZE, build
from processes import ENVIRONMENT, Other

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache
from sweeper.commands.main import run
from sweeper.paths import entries_dir

_DAY = 86_400 * 10**9


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def store() -> Cache:
    return Cache(entries_dir(), 10 * SIZE)


def _put(store: Cache, key: Key) -> None:
    with store.open(key, SIZE, build) as entry:
        assert entry is not None


def _names(store: Cache) -> set[str]:
    return {entry.name for entry in store.entries()}


def main(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        run(["cache", *arguments])
    return int(ended.value.code or 0)


FEATURES = Key("features", {"network": "lite0"})


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_the_command_lists_what_is_kept(arguments: list[str], store: Cache) -> None:
    _put(store, KEY)
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"], "COLUMNS": "250"}
    command = [sys.executable, "-m", "sweeper", "cache", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    assert KEY.name in ended.stdout
    assert "data=digits size=96" in ended.stdout
    assert "1 entry, 8.2 kB" in ended.stdout


def test_use_is_listed(store: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    with Other(entries_dir(), "held") as user:
        user.expect("got built whole")
        assert main(["list"]) == 0
        assert "yes" in capsys.readouterr().out
    assert main(["list"]) == 0
    assert "yes" not in capsys.readouterr().out


def test_an_empty_cache(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert [main(["list"]), main(["verify"]), main(["clear"])] == [0, 0, 0]
    assert "0 entries" in capsys.readouterr().out
    assert not cache.exists()


def test_verify_ends_with_1_where_something_is_damaged(
    store: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(store, KEY)
    assert main(["verify"]) == 0
    file = entries_dir() / KEY.name / "files" / "first.bin"
    file.write_bytes(file.read_bytes()[::-1])
    assert main(["verify"]) == 1
    printed = capsys.readouterr().out
    assert f"clear {KEY.name}" in printed
    assert main(["clear", KEY.name]) == 0
    assert main(["verify"]) == 0


def test_clear_by_kind_by_name_and_by_age(
    store: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in (KEY, FEATURES):
        _put(store, key)
    assert main(["clear", "--kind", "features"]) == 0
    assert "removed 1 entry, 8.2 kB" in capsys.readouterr().out
    assert _names(store) == {KEY.name}

    now = time.time_ns()
    with monkeypatch.context() as later:
        later.setattr(time, "time_ns", lambda: now + 3 * _DAY)
        _put(store, FEATURES)
        later.setattr(time, "time", lambda: (now + 4 * _DAY) / 1e9)
        assert main(["clear", "--older-than", "5"]) == 0
        assert _names(store) == {KEY.name, FEATURES.name}
        assert main(["clear", "--older-than", "2"]) == 0
    assert _names(store) == {FEATURES.name}

    _put(store, KEY)
    assert main(["clear", KEY.name]) == 0
    assert _names(store) == {FEATURES.name}
    assert main(["clear"]) == 0
    assert _names(store) == set()


def test_clear_says_what_it_left_in_use(store: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    _put(store, FEATURES)
    with Other(entries_dir(), "held") as user:
        user.expect("got built whole")
        assert main(["clear"]) == 0
        printed = capsys.readouterr().out
        assert f"{KEY.name} is in use and stays" in printed
        assert _names(store) == {KEY.name}
    assert main(["clear"]) == 0
    assert _names(store) == set()


def test_clear_removes_what_a_killed_builder_left(store: Cache) -> None:
    with Other(entries_dir(), "writing") as builder:
        builder.expect("writes")
        builder.kill()
    assert [entry.state for entry in store.entries()] == ["leftover"]
    assert main(["clear", "--kind", "none"]) == 0
    assert store.entries() == []


@pytest.mark.parametrize("days", ["soon", "-1", "nan", "inf"])
def test_an_age_that_is_none(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clear", f"--older-than={days}"]) == 2
    wanted = "must not be negative" if days == "-1" else "must be a number of days"
    assert wanted in capsys.readouterr().err
