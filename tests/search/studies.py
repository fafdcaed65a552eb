"""Small studies for tests."""

from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import TrialState

from sweeper.search.attributes import REASON
from sweeper.search.stores.exclusive import Store
from sweeper.search.stores.opening import open_store
from sweeper.search.study import Study, open_study


def memory() -> Store:
    return open_store(None, "one", 60)


def sqlite(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/deep/studies.db", "one", 60)


def a_study(
    store: Store | None = None, directions: Sequence[str] = ("maximize",), seed: int = 3
) -> Study:
    sampler = optuna.samplers.TPESampler(seed=seed)
    pruner = optuna.pruners.NopPruner()
    return open_study("one", store or memory(), tuple(directions), sampler, pruner)


def finish(
    study: optuna.Study,
    value: float | Sequence[float] | None,
    state: str = "COMPLETE",
    reason: str = "because",
    **constraints: float,
) -> int:
    """Ask for a trial of ``x``, and end it; without a reason a failed one was interrupted."""
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    if state != "COMPLETE" and reason:
        trial.set_user_attr(REASON, reason)
    for key, number in constraints.items():
        trial.set_constraint(key, number)
    study.tell(trial, value, state=TrialState[state])
    return trial.number
