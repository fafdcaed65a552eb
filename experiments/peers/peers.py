"""The peers' runs, each in a new folder, and what they recorded."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from plan import SINGLE_RATE, Plan
from runs import FOLDER, Fit, Run, peer_python, timed


def tutorial(plan: Plan, trials: int, folder: Path, shared: Path, seed: int) -> Run:
    """The tutorial script under hydra-optuna-sweeper with its default launcher and sampler."""
    overrides = (
        "hydra/sweeper=optuna",
        "hydra.sweeper.direction=maximize",
        f"hydra.sweeper.n_trials={trials}",
        "hydra.sweeper.n_jobs=1",
        f"hydra.sweeper.sampler.seed={seed}",
        f"folder={shared}",
        f"frozen_epochs={plan.epochs[0]}",
        f"unfrozen_epochs={plan.epochs[1]}",
        *plan.tutorial,
    )
    return _run("tutorial.py", ("-m", *overrides), folder, trials)


def tuner(plan: Plan, trials: int, folder: Path, shared: Path, seed: int) -> Run:
    """Random search of KerasTuner."""
    options = {
        "--trials": trials,
        "--seed": seed,
        "--frozen-epochs": plan.epochs[0],
        "--unfrozen-epochs": plan.epochs[1],
    }
    words = [str(word) for option in options.items() for word in option]
    return _run("tuner.py", (str(shared), *words), folder, trials)


def plain(folder: Path, shared: Path, blocks: Sequence[int], epochs: int) -> Run:
    """Plain ``fit``, once for each number of trainable blocks, in one process."""
    options = ("--epochs", str(epochs), "--learning-rate", str(SINGLE_RATE), "--blocks")
    return _run("plain.py", (str(shared), *options, *map(str, blocks)), folder, len(blocks))


def whole(runs: Sequence[Run], trials: int) -> float:
    """Seconds of a sweep of ``trials`` trials, reckoned from shorter ones.

    The start, the first trial (which pays for what later ones find ready) and every other trial
    count once each; each is the median of those that were run. Where no run has a second trial,
    all count as the first.
    """
    start = statistics.median(run.seconds - sum(f.seconds for f in run.fits) for run in runs)
    first = statistics.median(run.fits[0].seconds for run in runs)
    others = [fit.seconds for run in runs for fit in run.fits[1:]]
    return start + first + (trials - 1) * (statistics.median(others) if others else first)


def _run(script: str, arguments: Sequence[str], folder: Path, fits: int) -> Run:
    command = [peer_python(), FOLDER / script, *arguments]
    seconds = timed(command, folder, folder / "cache")
    lines = (folder / "trials.jsonl").read_text().splitlines()
    if len(lines) != fits:
        raise RuntimeError(f"{script} should have made {fits} fits, it made {len(lines)}")
    return Run(seconds, [Fit(**json.loads(line)) for line in lines])
