"""The configuration groups that the plugin gives to any Hydra application."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS, SWEEPER
from sweeper.search.settings.sweep_settings import SweepSettings

RECIPE = """
defaults:
  - override hydra/sweeper: async_optuna
  - override hydra/sweeper/sampler: tpe
  - override hydra/sweeper/pruner: median
  - _self_
width: 32
hydra:
  sweeper:
    sampler: {seed: 7, n_ei_candidates: 48}
    pruner: {n_warmup_steps: 3}
    params:
      units: int(interval(1, ${width}))
"""


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def sweeper(folder: Path, *overrides: str) -> DictConfig:
    """``hydra.sweeper`` as Hydra composes it for a sweep."""
    with initialize_config_dir(str(folder), version_base="1.3"):
        config = compose("recipe", overrides=list(overrides), return_hydra_config=True)
        return config.hydra.sweeper  # type: ignore[no-any-return]


def settings(folder: Path, *overrides: str) -> SweepSettings:
    """What reaches the sweep through Hydra's own way of making a sweeper."""
    plugin = instantiate(sweeper(folder, *overrides))
    assert type(plugin).__name__ == "AsyncOptunaSweeper"
    return SweepSettings.read(plugin._settings)


def test_a_recipe_is_read_with_the_keywords_it_sets(recipes: Path) -> None:
    read = settings(recipes)
    assert read.sampler == {**SAMPLERS["tpe"], "seed": 7, "n_ei_candidates": 48}
    assert read.pruner == {**PRUNERS["median"], "n_warmup_steps": 3}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_shows_all_keywords_and_takes_them_without_a_plus(
    recipes: Path, name: str
) -> None:
    keys = inspect.signature(get_class(SAMPLERS[name]["_target_"])).parameters
    shown = sweeper(recipes, f"hydra/sweeper/sampler={name}").sampler
    assert {"_target_", *keys} <= shown.keys()
    every = [f"hydra.sweeper.sampler.{key}=1" for key in keys]
    node = sweeper(recipes, f"hydra/sweeper/sampler={name}", *every).sampler
    assert {node[key] for key in keys} <= {1}


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_shows_all_keywords_and_takes_them_without_a_plus(
    recipes: Path, name: str
) -> None:
    keys = inspect.signature(get_class(PRUNERS[name]["_target_"])).parameters
    shown = sweeper(recipes, f"hydra/sweeper/pruner={name}").pruner
    assert {"_target_", *keys} <= shown.keys()
    every = [f"hydra.sweeper.pruner.{key}=1" for key in keys]
    node = sweeper(recipes, f"hydra/sweeper/pruner={name}", *every).pruner
    assert {node[key] for key in keys} <= {1}


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_an_unknown_key_is_reported_by_the_sweep_with_all_others(recipes: Path, plus: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(
            recipes,
            f"{plus}hydra.sweeper.sampler.n_ei_candidate=48",
            f"{plus}hydra.sweeper.pruner.warmup=1",
            f"{plus}hydra.sweeper.n_trails=3",
            f"{plus}hydra.sweeper.retries.kiled=3",
            "hydra.sweeper.n_jobs=many",
        )
    text = str(caught.value)
    for part in (
        "hydra.sweeper.sampler.n_ei_candidate is not a keyword of TPESampler; did you mean "
        "'n_ei_candidates'?; known: ",
        "hydra.sweeper.pruner.warmup is not a keyword of MedianPruner; did you mean",
        "hydra.sweeper.n_trails is not a setting of the sweep; did you mean 'n_trials'?",
        "hydra.sweeper.retries.kiled is not a setting of the sweep; did you mean 'killed'?",
        "hydra.sweeper.n_jobs must be a whole number, got 'many' (str)",
    ):
        assert part in text


def test_a_keyword_left_over_from_another_sampler_is_reported(recipes: Path) -> None:
    with pytest.raises(ConfigError, match="n_ei_candidates is not a keyword of RandomSampler"):
        settings(recipes, "hydra/sweeper/sampler=random")


def test_settings_of_other_shapes_come_through(recipes: Path) -> None:
    read = settings(
        recipes,
        "hydra.sweeper.direction=[maximize,minimize]",
        "hydra.sweeper.retries=2",
        "hydra.sweeper.executor.devices=[0,1]",
        "hydra.sweeper.enqueue=[{units: 3}]",
        "hydra.sweeper.warm_start={study_name: old, storage: 'sqlite:///old.db'}",
    )
    assert read.directions == ("maximize", "minimize")
    assert read.retries.killed == 2
    assert read.executor.devices == [0, 1]
    assert read.enqueue == [{"units": 3}]
    assert read.warm_start is not None
    assert read.warm_start.storage == "sqlite:///old.db"


@pytest.mark.parametrize("group", ["sampler", "pruner"])
def test_an_unknown_option_is_refused_with_the_known(recipes: Path, group: str) -> None:
    with pytest.raises(MissingConfigException) as caught:
        sweeper(recipes, f"hydra/sweeper/{group}=nothing")
    for option in SAMPLERS if group == "sampler" else PRUNERS:
        assert option in str(caught.value)


def test_without_a_recipe_the_sampler_is_tpe_and_nothing_is_pruned(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("defaults: [override hydra/sweeper: async_optuna]")
    node: Any = OmegaConf.to_container(sweeper(tmp_path))
    assert node.pop("sampler") == SAMPLERS["tpe"]
    assert node.pop("pruner") == PRUNERS["nop"]
    own = {"_target_": "hydra_plugins.async_optuna.AsyncOptunaSweeper", "_recursive_": False}
    others = {key: SWEEPER[key] for key in SWEEPER if key not in ("sampler", "pruner")}
    assert node == own | others


def test_a_node_written_for_hydra_optuna_sweeper_is_taken(recipes: Path) -> None:
    read = settings(
        recipes,
        "hydra.sweeper.sampler={_target_: optuna.samplers.TPESampler, seed: 1, "
        "n_startup_trials: 5, multivariate: false}",
    )
    assert read.sampler["n_startup_trials"] == 5
    assert read.sampler["multivariate"] is False


def test_hydra_finds_the_plugin_without_loading_optuna() -> None:
    code = (
        "import sys; from hydra.core.plugins import Plugins; Plugins.instance();"
        "print('hydra_plugins.async_optuna' in sys.modules,"
        " sorted({'optuna', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "True []"
