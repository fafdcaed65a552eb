"""Locks that keep processes apart and leave nothing behind."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sweeper.disk.locks import InUse, held


def test_one_has_it_at_a_time_and_nothing_remains(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "studies.db"
    with held(target):
        with pytest.raises(InUse), held(target):
            pass
        with held(target.with_name("other.db")):
            pass
    assert list(tmp_path.iterdir()) == []
    with held(target):
        target.write_text("kept")
    assert [path.name for path in target.parent.iterdir()] == ["studies.db"]


def test_a_lock_that_is_removed_with_its_file_keeps_others_out(tmp_path: Path) -> None:
    inside, most, failures = 0, 0, []
    guard = threading.Lock()

    def enter() -> None:
        nonlocal inside, most
        try:
            for _ in range(20):
                with held(tmp_path / "store", 60):
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, failures, list(tmp_path.iterdir())) == (1, [], [])


def test_the_system_frees_it_when_its_process_dies(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from sweeper.disk.locks import held\n"
        "with held(Path(sys.argv[1])): print('has it', flush=True); sys.stdin.read(1); os._exit(9)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        with pytest.raises(InUse), held(tmp_path / "store"):
            pass
        process.communicate(b"x")
    with held(tmp_path / "store"):
        pass
    assert list(tmp_path.iterdir()) == []
