"""Runs commands: timed whole, in folders of their own, with an environment that is the same."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PEER_FOLDER = FOLDER / ".peer"
PEER_REQUIREMENTS = FOLDER / "requirements-peer.txt"


@dataclass(frozen=True)
class Fit:
    """One trial, or one fit outside a sweep.

    Attributes:
        seconds: from its beginning to its end, in the process that makes it.
        val_accuracy: the best of its last phase.
        epoch_seconds: of each epoch, validation included, where they were asked for.
        ended: seconds since the first trial of the sweep began, of ours only.
        unfreeze_blocks: how many blocks trained, where that was searched; of ours only.
    """

    seconds: float
    val_accuracy: float
    epoch_seconds: list[float] = field(default_factory=list)
    ended: float | None = None
    unfreeze_blocks: int | None = None


@dataclass(frozen=True)
class Run:
    """``seconds`` of a whole command, and its fits in their order."""

    seconds: float
    fits: list[Fit]

    def best(self, trials: int | None = None) -> float:
        """The best validation accuracy, of the first ``trials`` fits if so many are given."""
        return max(fit.val_accuracy for fit in self.fits[:trials])


def peer_python() -> Path:
    """Python of the environment of the peers, made again when its versions change."""
    python = PEER_FOLDER / "bin" / "python"
    made_of = PEER_FOLDER / "made-of.txt"
    wanted = PEER_REQUIREMENTS.read_text()
    if not made_of.exists() or made_of.read_text() != wanted:
        print(f"making the environment of the peers in {PEER_FOLDER}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER_FOLDER], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, *install, "-r", PEER_REQUIREMENTS], check=True)
        made_of.write_text(wanted)
    return python


def timed(command: Sequence[str | Path], folder: Path, cache: Path) -> float:
    """Run ``command`` in ``folder``; returns the seconds from the start of its process to the end.

    What it says goes to ``output.txt`` there. ``cache`` is its XDG_CACHE_HOME.

    Raises:
        RuntimeError: it failed; with the end of its output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.txt"
    began = time.perf_counter()
    with output.open("w") as file:
        ended = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=_environment(cache, peer=str(command[0]).startswith(str(PEER_FOLDER))),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command))} ended with code {ended.returncode}:\n"
            f"{output.read_text()[-4000:]}"
        )
    return seconds


def _environment(cache: Path, peer: bool) -> dict[str, str]:
    """This process' own, without what would send records elsewhere; the CPU for all."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    if peer:
        # would show Hydra there the sweeper's plugin
        kept.pop("PYTHONPATH", None)
    return {**kept, "XDG_CACHE_HOME": str(cache), "CUDA_VISIBLE_DEVICES": "-1"}
