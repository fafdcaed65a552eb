"""Output that goes to a log, and the end of one."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from sweeper.execute.output import output_to, tail


def test_output_to_gives_the_screen_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with output_to(tmp_path / "log") as screen:
        os.write(1, b"hidden\n")
        screen.write("shown\n")
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "shown\nafter\n"
    assert (tmp_path / "log").read_text() == "hidden\n"


def test_tail_is_the_end(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
    (tmp_path / "log").write_text("\n".join(map(str, range(50))))
    assert tail(tmp_path / "log", 3) == "47\n48\n49"


def test_tail_reads_no_more_than_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 40)  # a sparse file: no memory would hold it
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast line")
    assert tail(log, 1) == "last line"


def test_output_comes_back_where_nobody_reads_the_screen_any_more(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sweeper.execute.output import output_to\n"
        "try:\n"
        f"    with output_to(Path({str(tmp_path / 'trial.log')!r})) as screen:\n"
        "        sys.stdin.read()\n"  # until the screen is closed
        "        print('x', file=screen)\n"
        "except BrokenPipeError:\n"
        "    print('restored', file=sys.stderr)\n"
        "    sys.stdout = None\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "restored\n")
