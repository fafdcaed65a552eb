"""The sweeper configurations of widely copied Hydra templates, with one line changed.

Made after what ``configs/hparams_search`` of lightning-hydra-template and of its many descendants
has held over the years; each is composed as there and run in an application of the same form.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from patience import PATIENCE

pytestmark = pytest.mark.slow

APP = """
import json, os, sys
import hydra
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("metric", lambda text: text.replace("__metric__", "val"))

@hydra.main(version_base="1.3", config_path="configs", config_name="train.yaml")
def main(config):
    return {"val/acc_best": config.model.optimizer.lr, "val/loss": 1}[config.optimized_metric]

if __name__ == "__main__":
    ended = {}
    for arguments in json.loads(os.environ["COMMANDS"]):
        sys.argv[1:] = arguments
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code
        ended[arguments[0]] = code
        print("ended", arguments[0], flush=True)
        print("ended", arguments[0], file=sys.stderr, flush=True)
    print(json.dumps(ended))
"""

CONFIGS = {
    "train": """
defaults:
  - _self_
  - data: mnist
  - model: mnist
  - experiment: null
  - hparams_search: null
  - optional local: default
  - override hydra/hydra_logging: none
task_name: train
mode: max
seed: 12345
optimized_metric: null
hydra:
  run: {dir: "logs/${task_name}/runs/${now:%Y-%m-%d_%H-%M-%S}"}
  sweep: {dir: "logs/${task_name}/multiruns", subdir: "${hydra.job.num}"}
  job_logging: {handlers: {file: {filename: "${hydra.runtime.output_dir}/${task_name}.log"}}}
""",
    "data/mnist": "{batch_size: 64, num_workers: 0}",
    "model/mnist": """
optimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 0.001, weight_decay: 0.0}
net: {lin1_size: 64, lin2_size: 128, lin3_size: 64}
""",
    "experiment/example": """
# @package _global_
model: {net: {lin1_size: 256}}
""",
}

SWEEPER = "_target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"

SEARCHES = {
    # as it is today
    "params": f"""
defaults:
  - override /hydra/sweeper: optuna
optimized_metric: "val/acc_best"
hydra:
  mode: "MULTIRUN"
  sweeper:
    {SWEEPER}
    storage: null
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 20
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
      n_startup_trials: 10
    params:
      model.optimizer.lr: interval(0.0001, 0.1)
      data.batch_size: choice(32, 64, 128, 256)
      model.net.lin1_size: choice(64, 128, 256)
""",
    # of Hydra 1.1, with every keyword that the sampler had then
    "search_space": f"""
defaults:
  - override /hydra/sweeper: optuna.yaml
optimized_metric: "val/acc_best"
hydra:
  sweeper:
    {SWEEPER}
    storage: null
    study_name: mnist_optimize
    n_jobs: 2
    direction: maximize
    n_trials: 50
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
      data.batch_size: {{type: categorical, choices: [32, 64, 128]}}
      model.optimizer.lr: {{type: float, low: 0.0001, high: 0.2}}
""",
    # a class over the keywords of the sampler that the group has chosen; the peer refuses it
    "grid": f"""
defaults:
  - override /hydra/sweeper: optuna
optimized_metric: "val/acc_best"
hydra:
  sweeper:
    {SWEEPER}
    direction: maximize
    n_trials: 5
    sampler:
      _target_: optuna.samplers.GridSampler
    search_space:
      model.optimizer.lr: {{type: float, low: 0.001, high: 0.01, step: 0.001}}
""",
    "random": f"""
defaults:
  - override /hydra/sweeper: optuna
  - override /hydra/sweeper/sampler: null
optimized_metric: "val/acc_best"
hydra:
  sweeper:
    {SWEEPER}
    n_jobs: 1
    direction: maximize
    n_trials: 10
    sampler:
      _target_: optuna.samplers.RandomSampler
    params:
      model.optimizer.lr: choice(0.0001, 0.001, 0.01, 0.2)
      model.optimizer._target_: choice("torch.optim.Adam", "adabelief_pytorch.AdaBelief")
""",
    # values of the recipe within those of the sweeper
    "referring": f"""
defaults:
  - override /hydra/sweeper: optuna
  - override /hydra/sweeper/sampler: random
  - _self_
optimized_metric: ${{metric:"__metric__/acc_best"}}
hydra:
  sweep: {{subdir: "${{hydra.sweeper.study_name}}/${{hydra.job.num}}"}}
  sweeper:
    {SWEEPER}
    storage: "sqlite:///mnist.db"
    study_name: ${{task_name}}_mnist
    max_failure_rate: 1.0
    n_jobs: 1
    direction: ${{mode}}imize
    n_trials: 100
    sampler:
      seed: ${{seed}}
    search_space:
      +data.workers: {{type: int, low: 1, high: 8}}
      model.optimizer.lr: {{type: float, low: 0.0001, high: 0.1, log: true}}
      model.optimizer.weight_decay: {{type: float, low: 0.0, high: 0.5, step: 0.1}}
""",
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Exit code, both outputs and folder of each search, two trials each; one process for all."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "train.py").write_text(APP)
    moved = {
        f"hparams_search/{name}": "# @package _global_"
        + text.replace("hydra/sweeper: optuna", "hydra/sweeper: async_optuna")
        for name, text in SEARCHES.items()
    }
    for name, text in {**CONFIGS, **moved}.items():
        file = folder / "configs" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip())
    commands = [
        [
            *(f"hparams_search={name}", "experiment=example", f"task_name={name}"),
            "hydra.sweeper.n_trials=2",
            *([] if "MULTIRUN" in SEARCHES[name] else ["-m"]),
        ]
        for name in SEARCHES
    ]
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        env={**os.environ, "COMMANDS": json.dumps(commands)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    found = {}
    screen, errors = done.stdout, done.stderr
    for name in SEARCHES:
        mark = f"ended hparams_search={name}\n"
        printed, screen = screen.split(mark)
        wrong, errors = errors.split(mark)
        code = codes[f"hparams_search={name}"]
        found[name] = (code, printed, wrong, folder / "logs" / name / "multiruns")
    return found


@pytest.mark.more
@pytest.mark.parametrize("name", SEARCHES)
def test_a_copied_search_runs_with_one_line_changed(ended: Mapping[str, Any], name: str) -> None:
    code, printed, wrong, folder = ended[name]
    assert (code, wrong) == (0, "")
    assert printed.count(" complete after ") == 2
    results = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    configs = {
        path.parent.parent.name: yaml.safe_load(path.read_text())
        for path in folder.glob("**/.hydra/config.yaml")
    }
    assert configs.keys() == {"0", "1"}
    config = configs[str(results["best_trial"])]
    assert config["model"]["optimizer"]["lr"] == results["best_value"]
    assert results["best_value"] == max(one["model"]["optimizer"]["lr"] for one in configs.values())
    if name != "params":  # which searches it
        assert config["model"]["net"]["lin1_size"] == 256
    assert (name in ("search_space", "grid", "referring")) == ("is the way of Hydra 1.1" in printed)


def test_a_search_may_refer_to_the_recipe(ended: Mapping[str, Any]) -> None:
    _, _, _, folder = ended["referring"]
    assert {path.name for path in (folder / "referring_mnist").iterdir()} >= {"0", "1"}
    assert (folder.parent.parent.parent / "mnist.db").exists()
    results = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert results["best_params"].keys() == {
        "+data.workers",
        "model.optimizer.lr",
        "model.optimizer.weight_decay",
    }
