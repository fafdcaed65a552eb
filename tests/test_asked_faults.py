"""Errors about paths: what a person asked for, and what is somebody else's fault."""

import errno
import logging
import os
import sys
from pathlib import Path

import pytest
from hydra.core.utils import configure_log
from omegaconf import OmegaConf

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


def test_a_name_with_a_nul_is_about_a_path_whoever_looks_at_it() -> None:
    with pytest.raises(ValueError, match="null") as caught:
        os.stat("a\0b")  # noqa: PTH116
    assert "a path cannot be used: " in str(asked_fault(caught.value))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_other_faults_of_files_are_not_asked_for(number: int) -> None:
    assert asked_fault(of(number, "x")) is None


def test_logging_that_python_refuses_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    config = OmegaConf.create({"root": None})
    with pytest.raises(TypeError) as caught:
        configure_log(config, OmegaConf.create([[40]]))  # type: ignore[arg-type]
    assert "correct hydra.verbose" in str(asked_fault(caught.value))
    with pytest.raises(TypeError) as elsewhere:
        logging.getLogger(40)  # type: ignore[arg-type]
    assert asked_fault(elsewhere.value) is None

    def full(_name: str) -> None:
        raise ValueError("Unable to configure handler 'file'") from of(errno.ENOSPC, "job.log")

    def configure() -> None:
        with monkeypatch.context() as patched:  # no longer: pytest has loggers too
            patched.setattr(logging, "getLogger", full)
            configure_log(config, OmegaConf.create(["x"]))  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="handler") as of_disk:
        configure()
    assert asked_fault(of_disk.value) is None
