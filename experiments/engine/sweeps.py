"""Runs ``app.py`` under either sweeper, each in its own environment."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PEER_FOLDER = FOLDER / ".peer"
PEER_REQUIREMENTS = FOLDER / "requirements-peer.txt"

SWEEPERS = ("ours", "peer")
_CHOICE = {"ours": "hydra/sweeper=async_optuna", "peer": "hydra/sweeper=optuna"}


def peer_python() -> Path:
    """Python of the environment of hydra-optuna-sweeper, made again when its versions change."""
    python = PEER_FOLDER / "bin" / "python"
    made_of = PEER_FOLDER / "made-of.txt"
    wanted = PEER_REQUIREMENTS.read_text()
    if not made_of.exists() or made_of.read_text() != wanted:
        print(f"making the environment of hydra-optuna-sweeper in {PEER_FOLDER}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER_FOLDER], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, *install, "-r", PEER_REQUIREMENTS], check=True)
        made_of.write_text(wanted)
    return python


def sweep(sweeper: str, folder: Path, overrides: Sequence[str], order: int = 0) -> float:
    """Sweep ``app.py`` in ``folder``; returns the seconds that the whole command took.

    Raises:
        RuntimeError: the command failed; with the end of its output.
    """
    python = peer_python() if sweeper == "peer" else Path(sys.executable)
    command = [python, FOLDER / "app.py", "-m", _CHOICE[sweeper], *overrides]
    folder.mkdir(parents=True)
    began = time.perf_counter()
    ended = subprocess.run(
        [*map(str, command), f"hydra.sweep.dir={folder / 'sweep'}"],
        cwd=folder,
        env={**os.environ, "ORDER": str(order)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(
            f"the sweep of {sweeper} ended with code {ended.returncode}:\n{ended.stdout[-4000:]}"
        )
    return seconds


def conditions() -> str:
    """How busy machine and disk are now; on a busy one the figures mean little."""
    with tempfile.TemporaryFile() as file:
        syncs = []
        for _ in range(20):
            file.write(b"x")
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            syncs.append(time.perf_counter() - began)
    loads = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"load {loads}, fsync {statistics.median(syncs) * 1000:.1f} ms"
