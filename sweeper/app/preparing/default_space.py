"""What `-m` searches where neither the recipe nor the command line names anything to search.

The one place where it is defined. A recipe replaces it with ``hydra.sweeper.params``, the command
line with any value that is a search: ``batch_size=16,32``.
"""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeper.app.preparing.memory import oversized
from sweeper.config import Recipe
from sweeper.config.unused import unused
from sweeper.errors import ConfigError
from sweeper.validation import parse

_RATE = (0.1, 3.0)
"""Learning rates, as multiples of the recipe's: it is more often too high than too low, and the
recipes that are known to work search about as much."""
_BATCH_SIZES = (0.5, 1, 2)
"""As multiples of the recipe's."""
_DEPTH = 7
"""Unfrozen blocks, at most; deeper ones cost time, and gained little where it was measured."""
_DROP_CONNECT = "interval(0.0, 0.4)"
"""Twice the published rate of EfficientNets (0.2) at most."""
LEAST_DEPTH_THAT_DROPS = 3
"""Unfrozen blocks from which on every backbone with stochastic depth has a layer of it among them:
3 for EfficientNetB0 and Lite0, 2 for the others."""


def default_space(config: DictConfig) -> dict[str, Any]:
    """Search space by override key, as ``hydra.sweeper.params`` has it, for a composed recipe.

    Learning rates of both phases, depth of unfreezing, batch size, and stochastic depth where it
    reaches something that trains; less what the command line sets, and what would change nothing.
    Empty where the recipe has faults.
    """
    try:
        recipe = parse(config)
    except ConfigError:
        return {}
    lines: Sequence[str] = config.hydra.overrides.task
    given = {line.partition("=")[0].lstrip("+~") for line in lines}
    space = {**_rates(recipe, config), "batch_size": _batch_sizes(recipe), **_depth(recipe, given)}
    idle = [*unused(recipe)]
    return {
        key: values
        for key, values in space.items()
        if key not in given and not any(one.covers(key) for one in idle)
    }


def _rates(recipe: Recipe, config: DictConfig) -> dict[str, str]:
    if recipe.freeze.scratch:  # whose one phase has the optimizer's
        return {"optimizer.learning_rate": _around(recipe.optimizer.learning_rate)}
    phases, found = recipe.phases, dict[str, float]()
    if phases.frozen is not None:
        follows = OmegaConf.is_interpolation(config.phases.frozen, "learning_rate")
        key = "optimizer.learning_rate" if follows else "phases.frozen.learning_rate"
        found[key] = phases.frozen.learning_rate
    if phases.unfrozen is not None:
        found["phases.unfrozen.learning_rate"] = phases.unfrozen.learning_rate
    return {key: _around(rate) for key, rate in found.items()}


def _around(rate: float) -> str:
    low, high = (f"{rate * times:.3g}" for times in _RATE)
    return f"tag(log, interval({low}, {high}))"


def _batch_sizes(recipe: Recipe) -> str:
    own = recipe.batch_size
    sizes = {max(int(own * times), 1) for times in _BATCH_SIZES}
    fit = [size for size in sizes if size <= own or not oversized(recipe.image_size, size)]
    return f"choice({', '.join(map(str, sorted(fit)))})"


def _depth(recipe: Recipe, given: set[str]) -> dict[str, Any]:
    """Unfrozen blocks where the recipe counts them, and stochastic depth in what trains."""
    own, blocks = recipe.freeze.unfreeze_blocks, recipe.backbone.blocks
    drops = {"drop_connect_rate": _DROP_CONNECT} if recipe.backbone.stochastic_depth else {}
    if recipe.phases.unfrozen is None or own in (0, None):
        return {}
    if own == "all":
        return drops
    assert isinstance(own, int)
    most = max(own, min(_DEPTH, blocks or own))
    if most == 1 or "freeze.unfreeze_blocks" in given:
        return drops if own >= LEAST_DEPTH_THAT_DROPS else {}
    deep = list(range(LEAST_DEPTH_THAT_DROPS, most + 1))
    return {
        "freeze.unfreeze_blocks": f"range(1, {most + 1})",
        **{
            key: {"when": {"freeze.unfreeze_blocks": deep}, "value": values}
            for key, values in drops.items()
            if deep
        },
    }
