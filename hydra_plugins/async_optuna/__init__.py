"""Hydra loads sweepers from ``hydra_plugins`` only; this one delegates to ``sweeper.search``.

Optuna is imported when a sweep begins, so that plain runs and ``--help`` start fast.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sweeper.search.settings.defaults import PRUNERS, SAMPLERS, SWEEPER


def _register() -> None:
    def store(group: str, name: str, node: Mapping[str, Any]) -> None:
        # open nodes take any key, with or without a `+`: the sweeper names the faults, all at once
        # and with the nearest known key, where OmegaConf would stop at the first
        open_node = OmegaConf.create(dict(node), flags={"struct": False})
        ConfigStore.instance().store(name, open_node, group=group, provider="async_optuna")

    sweeper = {
        "_target_": "hydra_plugins.async_optuna.AsyncOptunaSweeper",
        # the sampler is built later, when it is known how many trials the study has
        "_recursive_": False,
        "defaults": [{"sampler": "tpe"}, {"pruner": "nop"}],
    }
    store("hydra/sweeper", "async_optuna", {**sweeper, **SWEEPER})
    for name, node in SAMPLERS.items():
        store("hydra/sweeper/sampler", name, node)
    # the peer has it; the message about it says what to choose instead
    store("hydra/sweeper/sampler", "motpe", {"_target_": "optuna.samplers.MOTPESampler"})
    for name, node in PRUNERS.items():
        store("hydra/sweeper/pruner", name, node)


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

    def sweep(self, arguments: Sequence[str]) -> None:
        """Run the study; whatever stops it is one message, see :mod:`sweeper.exits`."""
        from sweeper.execute.output import open_closed_streams
        from sweeper.exits import reported, stopped_by_signals
        from sweeper.search.sweep import Sweep

        open_closed_streams()
        assert self.config is not None
        assert self.hydra_context is not None
        # before the first trial, or after the last
        interrupted = "interrupted; the same command continues a stored study"
        with reported(interrupted), stopped_by_signals():
            Sweep(self._settings, arguments, self._task, self.config, self.hydra_context).run()


if find_spec("hydra_plugins.hydra_optuna_sweeper") is None:

    class OptunaSweeper(AsyncOptunaSweeper):
        """The peer's class: what many configurations name in ``hydra.sweeper._target_``."""

    # Hydra registers a plugin as __module__.__name__, and imports it as __module__.__qualname__
    OptunaSweeper.__module__ = "hydra_plugins"
    OptunaSweeper.__name__ = "hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    OptunaSweeper.__qualname__ = "async_optuna.OptunaSweeper"
