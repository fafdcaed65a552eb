"""Recipes as written for hydra-optuna-sweeper 1.3, with nothing but the sweeper's name changed.

They are made after the examples in its documentation:
https://hydra.cc/docs/plugins/optuna_sweeper
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from patience import PATIENCE

pytestmark = pytest.mark.slow

APP = """
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="sphere")
def main(config):
    if config.get("error"):
        raise RuntimeError("error is set")
    if config.get("two"):
        return 4 * config.x**2 + 4 * config.y**2, (config.x - 5) ** 2 + (config.y - 5) ** 2
    return sum(config[name] ** 2 for name in "wxyz" if name in config)

def configure(config, trial):
    x = trial.params["x"]
    trial.suggest_float("z", x - config.max_difference, x + config.max_difference)
    if x > 0:
        trial.suggest_float("+w", 0.0, 1.0)

if __name__ == "__main__":
    main()
"""

SPHERE = """
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: tpe
hydra:
  sweeper:
    sampler:
      seed: 123
    direction: minimize
    study_name: sphere
    storage: null
    n_trials: 4
    n_jobs: 1
    max_failure_rate: 0.0
    params:
      x: interval(-5.5, 5.5)
      y: choice(-5, 0, 5)
      more.int: int(interval(1, 5))
      more.log: tag(log, interval(0.001, 1))
      more.int_log: tag(log, int(interval(1, 100)))
      more.range: range(1, 5)
      more.step: range(-1.0, 1.0, step=0.5)
      +more.shuffled: shuffle(range(1, 3))
      +more.text: choice("foo", 'bar')
      +more.bool: choice(true, false)
      +more.fixed: 3
x: 1
y: 1
z: 1
more: {int: 1, log: 1.0, int_log: 1, range: 1, step: 0.0}
"""

GRID = """
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: grid
hydra:
  sweeper:
    direction: minimize
    study_name: grid
    storage: null
    n_trials: 20
    n_jobs: 2
    params:
      x: choice(-1, 1)
      y: range(-1.0, 1.0, step=1)
      name: choice("foo", "bar")
x: 1
y: 1
name: foo
"""

TWO = """
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: nsgaii
hydra:
  sweeper:
    sampler: {seed: 123}
    direction: [minimize, minimize]
    study_name: two
    n_trials: 6
    n_jobs: 1
    params:
      x: range(0, 5, step=0.5)
      y: range(0, 3, step=0.5)
x: 1
y: 1
two: true
"""

CUSTOM = """
defaults:
  - override hydra/sweeper: optuna
hydra:
  sweeper:
    sampler: {seed: 123}
    direction: minimize
    study_name: custom
    n_trials: 6
    n_jobs: 1
    params:
      x: range(-5.5, 5.5, 0.5)
      y: choice(-5, 0, 5)
    custom_search_space: app.configure
x: 1
y: 1
z: 100
max_difference: 0.5
"""

TEMPLATE = """
defaults:
  - _self_
  - experiment: null
  - optional hparams_search: null
  - override hydra/hydra_logging: none
x: 1
y: 1
optimized_metric: null
task_name: train
hydra:
  run: {dir: "logs/${task_name}/runs/${now:%Y-%m-%d_%H-%M-%S}"}
  sweep: {dir: "out", subdir: "${hydra.job.num}"}
  job_logging: {handlers: {file: {filename: "${hydra.runtime.output_dir}/${task_name}.log"}}}
"""
"""How copied templates compose their configuration, such as lightning-hydra-template."""

SEARCH = """
# @package _global_
defaults:
  - override /hydra/sweeper: optuna
optimized_metric: "val/acc_best"
hydra:
  mode: "MULTIRUN"
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: null
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 3
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
      n_startup_trials: 10
    params:
      x: interval(0.0001, 0.1)
      y: choice(32, 64, 128, 256)
"""

OLD_SEARCH = """
# @package _global_
defaults:
  - override /hydra/sweeper: optuna
hydra:
  mode: MULTIRUN
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: null
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 3
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 12345
      consider_prior: true
      prior_weight: 1.0
      consider_magic_clip: true
      consider_endpoints: false
      n_startup_trials: 10
      n_ei_candidates: 24
      multivariate: false
      warn_independent_sampling: true
    search_space:
      x: {type: float, low: 0.0001, high: 0.2}
      y: {type: categorical, choices: [32, 64, 128]}
"""

RECIPES = {"sphere": SPHERE, "grid": GRID, "two": TWO, "custom": CUSTOM, "train": TEMPLATE}
SEARCHES = {"optuna": SEARCH, "old": OLD_SEARCH}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "conf").mkdir()
    for name, recipe in RECIPES.items():
        moved = recipe.replace("hydra/sweeper: optuna", "hydra/sweeper: async_optuna")
        (tmp_path / "conf" / f"{name}.yaml").write_text(moved)
    (tmp_path / "conf" / "hparams_search").mkdir()
    for name, recipe in SEARCHES.items():
        moved = recipe.replace("hydra/sweeper: optuna", "hydra/sweeper: async_optuna")
        (tmp_path / "conf" / "hparams_search" / f"{name}.yaml").write_text(moved)
    return tmp_path


def run(app: Path, recipe: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "app.py", "--multirun", f"--config-name={recipe}"),
            *("hydra.sweep.dir=out", *arguments),
        ],
        cwd=app,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def sweep(app: Path, recipe: str, *arguments: str) -> Any:
    """Run the recipe; returns ``optimization_results.yaml``."""
    ended = run(app, recipe, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return yaml.safe_load((app / "out" / "optimization_results.yaml").read_text())


def study(app: Path, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{app}/test.db")


STORAGE = "hydra.sweeper.storage=sqlite:///test.db"


@pytest.mark.more
def test_one_objective_and_a_stored_study(app: Path) -> None:
    results = sweep(app, "sphere", STORAGE, "hydra.sweeper.sampler.n_startup_trials=2")
    stored = study(app, "sphere")
    assert results == {
        "name": "optuna",
        "best_params": stored.best_params,
        "best_value": stored.best_value,
        "best_trial": stored.best_trial.number,
    }
    assert len(stored.trials) == 4
    assert stored.trials[0].distributions == {
        "x": FloatDistribution(-5.5, 5.5),
        "y": CategoricalDistribution([-5, 0, 5]),
        "more.int": IntDistribution(1, 5),
        "more.log": FloatDistribution(0.001, 1, log=True),
        "more.int_log": IntDistribution(1, 100, log=True),
        # as Hydra reads it, the end of a range is left out; the other let it in, mostly
        "more.range": IntDistribution(1, 4),
        "more.step": FloatDistribution(-1.0, 0.5, step=0.5),
        "+more.shuffled": IntDistribution(1, 2),
        "+more.text": CategoricalDistribution(["foo", "bar"]),
        "+more.bool": CategoricalDistribution([True, False]),
    }
    config = yaml.safe_load((app / "out" / "3" / ".hydra" / "config.yaml").read_text())
    assert config["more"]["fixed"] == 3
    assert config["x"] == stored.trials[3].params["x"]


@pytest.mark.more
def test_one_objective_from_the_command_line(app: Path) -> None:
    results = sweep(
        app,
        "sphere",
        "x=choice(0, 1, 2)",
        "y=0",  # fixed: no parameter
        "~z",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=1",
        "hydra.sweeper.n_trials=2",
        STORAGE,
    )
    stored = study(app, "sphere")
    assert len(stored.trials) == 2
    assert "y" not in results["best_params"]
    assert results["best_params"]["x"] in (0, 1, 2)
    config = yaml.safe_load((app / "out" / "1" / ".hydra" / "config.yaml").read_text())
    assert config["y"] == 0
    assert "z" not in config


def test_a_grid_has_as_many_trials_as_points(app: Path) -> None:
    results = sweep(app, "grid", STORAGE)
    points = [tuple(trial.params.values()) for trial in study(app, "grid").trials]
    assert sorted(points) == sorted(
        (x, y, name) for x in (-1, 1) for y in (-1.0, 0.0) for name in ("foo", "bar")
    )
    assert results["best_value"] == 1


@pytest.mark.more
def test_a_grid_may_end_before_its_last_point(app: Path) -> None:
    sweep(app, "grid", STORAGE, "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1")
    assert len(study(app, "grid").trials) == 2


@pytest.mark.more
@pytest.mark.parametrize("arguments", [[], ["x=range(0, 5)", "y=range(0, 3)"]])
def test_several_objectives_have_solutions(app: Path, arguments: list[str]) -> None:
    results = sweep(app, "two", *arguments)
    assert results.keys() == {"name", "solutions"}
    assert results["solutions"]
    step = 1 if arguments else 0.5
    for one in results["solutions"]:
        assert one.keys() == {"params", "values", "trial"}
        x, y = one["params"]["x"], one["params"]["y"]
        assert x % step == y % step == 0
        assert one["values"] == [4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2]
        assert not any(
            all(a <= b for a, b in zip(other["values"], one["values"], strict=True))
            and other["values"] != one["values"]
            for other in results["solutions"]
        )


def test_a_custom_search_space_may_depend_on_values_and_the_recipe(app: Path) -> None:
    results = sweep(app, "custom", "max_difference=0.25", STORAGE)
    trials = study(app, "custom").trials
    assert len(trials) == 6
    for trial in trials:
        assert abs(trial.params["z"] - trial.params["x"]) <= 0.25
        assert ("+w" in trial.params) == (trial.params["x"] > 0)
        path = app / "out" / str(trial.number) / ".hydra" / "config.yaml"
        config = yaml.safe_load(path.read_text())
        assert config["z"] == trial.params["z"]
        assert config.get("w") == trial.params.get("+w")
        assert trial.value == pytest.approx(sum(value**2 for value in trial.params.values()))
    assert results["best_params"]["z"] == trials[results["best_trial"]].params["z"]


@pytest.mark.more
@pytest.mark.parametrize(("rate", "runs"), [pytest.param(0.0, 1, marks=pytest.mark.more), (1.0, 4)])
def test_the_failure_rate(app: Path, rate: float, runs: int) -> None:
    rate_is = f"hydra.sweeper.max_failure_rate={rate}"
    ended = run(app, "sphere", rate_is, "+error=true", STORAGE)
    assert ended.returncode == 1
    assert len(study(app, "sphere").trials) == runs
    assert "RuntimeError: error is set" in ended.stderr
    assert (f"max_failure_rate={rate:g} allows" in ended.stderr) == (rate < 1)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("search", SEARCHES)
def test_the_search_of_a_copied_template_runs_with_one_line_changed(app: Path, search: str) -> None:
    """It names the peer's class, and is in force without ``-m``."""
    ended = subprocess.run(
        [sys.executable, "app.py", "--config-name=train", f"hparams_search={search}"],
        cwd=app,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.count(" complete after ") == 3
    best = yaml.safe_load((app / "out" / "optimization_results.yaml").read_text())["best_params"]
    assert best["y"] in (32, 64, 128, 256)
    assert (app / "out" / "2" / "train.log").exists()
    converted = "hydra.sweeper.params has it as {x: interval(0.0001, 0.2), y: 32,64,128}"
    assert (converted in ended.stdout) == (search == "old")


@pytest.mark.more
def test_an_application_without_a_guard_is_reported(app: Path) -> None:
    unguarded = APP.replace('if __name__ == "__main__":\n    main()', "main()")
    (app / "app.py").write_text(unguarded)
    ended = run(app, "sphere")
    assert ended.returncode == 1
    line = unguarded.splitlines().index("main()") + 1
    assert f"app.py:{line} calls the application without a guard" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert run(app, "sphere", "hydra.sweeper.executor.kind=inline").returncode == 0
