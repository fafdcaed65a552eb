"""Runs the commands of a page of docs/, and compares what they print with what the page shows."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE

_BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<shown>.*?)```", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d[\d,.]*\d(?:e[-+]?\d+)?|\d+(?:e[-+]?\d+)?")
_GAP = "..."
LONGEST = 40
"""Lines that a page shows of one command."""


@dataclass(frozen=True)
class Step:
    """A command of a page, and what the page shows of its output."""

    command: str
    shown: str


def steps(page: str) -> list[Step]:
    return [Step(found["command"], found["shown"]) for found in _BLOCK.finditer(page)]


def with_output(page: str, outputs: list[str]) -> str:
    """``page`` with ``outputs`` in place of what it shows."""
    left = iter(outputs)

    def block(found: re.Match[str]) -> str:
        return f"```console\n$ {found['command']}\n{next(left)}```"

    return _BLOCK.sub(block, page)


class Shell:
    """Runs commands in ``folder``, some of them beside the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
        self._beside: list[subprocess.Popen[str]] = []

    def run(self, command: str) -> str:
        """What ``command`` prints; of one that ends with & until it prints nothing more at once."""
        if command.endswith(" &"):
            return self._start(command.removesuffix(" &"))
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=self._environment,
        )
        return ended.stdout

    def _start(self, command: str) -> str:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )
        self._beside.append(process)
        assert process.stdout is not None
        return process.stdout.readline() + process.stdout.readline()

    def end(self) -> None:
        for process in self._beside:
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            process.stdout.read()
            process.wait(PATIENCE)
            process.stdout.close()


@contextlib.contextmanager
def shell(folder: Path) -> Iterator[Shell]:
    opened = Shell(folder)
    try:
        yield opened
    finally:
        opened.end()


def missing(shown: str, printed: str) -> list[str]:
    """Lines of ``shown`` that ``printed`` does not have in that order, whatever their numbers."""
    left, absent = [_plain(line) for line in printed.splitlines()], []
    for line in shown.splitlines():
        wanted = _plain(line)
        if not wanted or wanted == _GAP:
            continue
        if wanted in left:
            left = left[left.index(wanted) + 1 :]
        else:
            absent.append(line)
    return absent


def shortened(printed: str) -> str:
    """At most so many lines as a page shows, with a gap in the middle."""
    lines = [line.rstrip() for line in printed.splitlines()]
    if len(lines) > LONGEST:
        lines = [*lines[: LONGEST // 2], _GAP, *lines[-LONGEST // 2 :]]
    return "".join(f"{line}\n" for line in lines)


def _plain(line: str) -> str:
    return " ".join(re.sub(r"[─━]+", "-", _NUMBER.sub("#", line)).split())
