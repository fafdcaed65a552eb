"""Composed recipes for tests."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sweeper.config import Recipe
from sweeper.paths import conf_dir
from sweeper.validation import parse


def composed(*overrides: str) -> DictConfig:
    """``conf/config.yaml`` with ``overrides``, as Hydra hands it to the task."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def recipe(*overrides: str) -> Recipe:
    return parse(composed(*overrides))
