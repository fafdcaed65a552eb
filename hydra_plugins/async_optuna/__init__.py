"""Hydra loads sweepers from ``hydra_plugins`` only; this one delegates to ``sweeper.search``.

Optuna is imported when a sweep begins, so that plain runs and ``--help`` start fast.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig

from sweeper.errors import SweeperError, TrialFailed


@dataclass
class AsyncOptunaConf:
    """Keys of ``hydra.sweeper``, with the meaning that hydra-optuna-sweeper gives them."""

    _target_: str = "hydra_plugins.async_optuna.AsyncOptunaSweeper"
    # the sampler is built later, when it is known how many trials the study has
    _recursive_: bool = False
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}])
    # an optuna sampler, from hydra/sweeper/sampler=tpe or random
    sampler: Any = MISSING
    # minimize or maximize
    direction: str = "minimize"
    # an Optuna storage url, e.g. sqlite:///studies.db; null keeps the study in memory
    storage: str | None = None
    study_name: str | None = None
    # finished trials in all: the same command again runs only those that are missing
    n_trials: int = 20
    # search space by override key; the command line wins
    params: dict[str, Any] | None = None


@dataclass
class TPEConf:
    """Keywords of optuna.samplers.TPESampler; more with ``+``."""

    _target_: str = "optuna.samplers.TPESampler"
    seed: int | None = None
    n_startup_trials: int = 10
    multivariate: bool = True


@dataclass
class RandomConf:
    """Keywords of optuna.samplers.RandomSampler."""

    _target_: str = "optuna.samplers.RandomSampler"
    seed: int | None = None


def _register() -> None:
    store = ConfigStore.instance()
    provider = "async_optuna"
    store.store(group="hydra/sweeper", name="async_optuna", node=AsyncOptunaConf, provider=provider)
    for name, node in {"tpe": TPEConf, "random": RandomConf}.items():
        store.store(group="hydra/sweeper/sampler", name=name, node=node, provider=provider)


_register()


class AsyncOptunaSweeper(Sweeper):
    """``hydra/sweeper=async_optuna``: one Optuna study, each trial a Hydra job of its own."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over until :meth:`sweep`."""
        self.hydra_context = hydra_context
        self.config = config
        self._task = task_function

    def sweep(self, arguments: Sequence[str]) -> Any:
        """Run the study; a fault that stops it is one message and exit code 1."""
        from sweeper.search.sweep import SweepSettings, run_sweep

        assert self.config is not None
        assert self.hydra_context is not None
        settings = SweepSettings(**self._settings)
        try:
            return run_sweep(settings, arguments, self._task, self.config, self.hydra_context)
        except TrialFailed as error:  # not of a trial: of the checks before, or the test after
            sys.exit(f"{error.reason}; the log ends:\n{error.log_tail}")
        except SweeperError as error:
            sys.exit(str(error))
        except KeyboardInterrupt:
            print("interrupted; the same command goes on with a stored study", file=sys.stderr)
            sys.exit(130)
