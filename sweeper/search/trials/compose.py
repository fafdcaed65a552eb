"""From a trial's parameters to its composed Hydra configuration, in a tenth of the time.

Composing costs as much as starting a process (40 ms, 2 slow cores), and trials differ in a few
numbers only. So a configuration is composed once for each set of choices, and the numbers are put
into copies of it, as Hydra would: an override of a single value comes after all composing.
"""

import copy
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException, ValidationError
from yaml import YAMLError

from sweeper.absent_keys import absent_key
from sweeper.addresses import hide_credentials, redact
from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.cases import bare, below
from sweeper.search.space.search_space import SearchSpace
from sweeper.search.space.syntax import spell

_KEPT = 64
"""Composed configurations that are kept; each takes about a megabyte."""


class Composer:
    """Composes configurations of one application."""

    def __init__(self, context: HydraContext, master: DictConfig) -> None:
        self._loader = context.config_loader
        self._master = master
        self._kept: OrderedDict[Any, DictConfig] = OrderedDict()
        self._plain: dict[tuple[str, ...], frozenset[str]] = {}

    def __call__(self, overrides: tuple[str, ...]) -> DictConfig:
        """Compose the configuration with the whole list of ``overrides``.

        Raises:
            ConfigError: it does not compose.
        """
        try:
            config = self._loader.load_sweep_config(self._master, list(overrides))
        except HydraException as error:
            raise ConfigError([_fault(error)]) from None
        except (ValueError, YAMLError) as error:
            # a number for the option of a group; an option whose file is no YAML
            text = " ".join(str(error).split())
            raise ConfigError([f"[{', '.join(overrides)}] does not compose: {text}"]) from None
        hide_secrets(config)
        return config

    def trial(self, space: SearchSpace, params: Mapping[str, Value]) -> DictConfig:
        """Compose the configuration of the trial with ``params``, which may be changed.

        Raises:
            ConfigError: it does not compose.
        """
        overrides = space.overrides(params)
        plain = self._plain_keys(tuple(params))
        numbers = {
            key: value
            for key, value in params.items()
            if key in plain and isinstance(value, int | float)
        }
        choices = (
            space.fixed,
            # as text: to Python, 1 and True are the same
            *((key, None if key in numbers else spell(value)) for key, value in params.items()),
        )
        kept = self._kept.pop(choices, None)
        if kept is None:
            kept = self(overrides)
        self._kept[choices] = kept
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        config = copy.deepcopy(kept)
        try:
            for key, value in numbers.items():
                OmegaConf.update(config, bare(key), value)
        except OmegaConfBaseException:
            return self(overrides)  # fails too, and says how
        with read_write(config):
            _tell_overrides(config.hydra, overrides)
        return config

    def _plain_keys(self, keys: tuple[str, ...]) -> frozenset[str]:
        """Those of ``keys`` where a number sets nothing but itself.

        A group would be more than that, but Hydra takes no number for one of its options.
        """
        if keys not in self._plain:
            self._plain[keys] = frozenset(
                key
                for key in keys
                if not bare(key).startswith("hydra.")  # may shape other values
                # the later of two overrides of one place counts
                and not any(_overlap(bare(key), bare(other)) for other in keys if other != key)
            )
        return self._plain[keys]


def _fault(error: HydraException) -> str:
    if absent := absent_key(error):
        return f"{absent}; leave it out, or give it a condition (when:) in hydra.sweeper.params"
    text = " ".join(str(error).split())
    if isinstance(error.__cause__, ValidationError):  # Hydra names the override only
        text += f": {str(error.__cause__).splitlines()[0]}"
    return text


def _overlap(key: str, other: str) -> bool:
    """Whether one of the keys is, or contains, the other."""
    return below(key, other) or below(other, key)


def _tell_overrides(hydra: DictConfig, overrides: Sequence[str]) -> None:
    """Say in Hydra's node which overrides made the configuration."""
    names = [re.split("[=@]", bare(line))[0].strip() for line in overrides]
    task = [
        (name, line)
        for name, line in zip(names, overrides, strict=True)
        if not name.startswith(("hydra.", "hydra/"))
    ]
    hydra.overrides.task = [line for _, line in task]
    style = hydra.job.config.override_dirname
    shown = sorted(line for name, line in task if name not in style.exclude_keys)
    hydra.job.override_dirname = style.item_sep.join(shown).replace("=", style.kv_sep)


def hide_secrets(config: DictConfig) -> None:
    """Replace addresses with credentials under ``hydra.sweeper`` by references to variables.

    Hydra writes its node to ``multirun.yaml`` and to each job's ``hydra.yaml``.
    """
    with read_write(config), open_dict(config):
        _hide_below(config.hydra.sweeper, "hydra.sweeper")
        lines = config.hydra.overrides.hydra
        # as written: what ${...} in them refers to may be known in a trial only
        written = OmegaConf.to_container(lines, resolve=False)
        assert isinstance(written, list)
        for index, line in enumerate(written):
            key, found, value = line.partition("=")
            if found and redact(value) != value:
                hidden = hide_credentials(bare(key), value.strip("'\""))
                lines[index] = f"{key}={hidden}"


def _hide_below(node: DictConfig | ListConfig, path: str) -> None:
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        value = node[key]
        if isinstance(value, DictConfig | ListConfig):
            _hide_below(value, f"{path}.{key}")
        elif isinstance(value, str):
            node[key] = hide_credentials(f"{path}.{key}", value)
