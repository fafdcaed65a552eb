"""Errors about paths: what a person asked for, and what is somebody else's fault."""

import errno
import os
import sys
from pathlib import Path

import pytest

from sweeper.asked_faults import asked_fault


def of(number: int, path: str | None) -> OSError:
    """An error as the system raises it."""
    try:
        raise OSError(number, os.strerror(number), path) if path else OSError(number, "no path")
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("words", "path", "asked"),
    [
        (["compare", "secret"], "secret/study.json", True),
        (["predict", "m", "/data/a.png"], "/data/a.png", True),
        (["dataset.path=secret", "-m"], "secret/cat", True),
        (["dataset.path=secret", "-m"], "experiments/x", False),
        (["+experiment=digits_lite0", "-m"], "/data/a.png", False),
    ],
)
def test_who_may_not_look_at_what_was_asked_for_is_answered(
    words: list[str], path: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeper", *words])
    fault = asked_fault(of(errno.EACCES, path))
    assert (fault is not None) == asked
    assert fault is None or f"'{path}' cannot be used: Permission denied" in fault


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ELOOP])
def test_a_name_that_no_path_has_is_always_asked_for(number: int) -> None:
    fault = asked_fault(of(number, 300 * "a"))
    assert fault is not None
    assert len(fault) < 150
    assert asked_fault(of(number, None)) is None


@pytest.mark.parametrize("path", ["a\0b", "~nobody7/x"])
def test_what_pathlib_refuses_is_about_a_path(path: str) -> None:
    with pytest.raises((ValueError, RuntimeError)) as caught:
        Path(path).expanduser().stat()
    fault = asked_fault(caught.value)
    assert fault is not None
    assert "a path cannot be used: " in fault


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_other_faults_of_files_are_not_asked_for(number: int) -> None:
    assert asked_fault(of(number, "x")) is None
