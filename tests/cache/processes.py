"""Other processes, spoken to by lines."""

import os
import subprocess
import sys
from pathlib import Path

import others

import sweeper

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(sweeper.__file__).parents[1])}
"""In which other processes import the package that the tests import."""


class Other:
    """A process that opens the entry of the tests; killed at the end of its block."""

    def __init__(self, root: Path, stop: str = "") -> None:
        self.count = root.parent / "builds"
        self.process = subprocess.Popen(
            [sys.executable, others.__file__, "open", str(root), str(self.count), stop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        self.expect("ready")

    def __enter__(self) -> "Other":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def expect(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """With SIGKILL."""
        self.process.kill()
        self.process.communicate()

    def rest(self) -> list[str]:
        """All that it says until its end, which is a good one."""
        assert self.process.stdout is not None
        lines = self.process.stdout.read().split("\n")[:-1]
        assert self.process.wait() == 0
        return lines
