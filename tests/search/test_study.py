from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from sweeper.errors import ConfigError
from sweeper.records import State
from sweeper.search.study import (
    build_sampler,
    check_fingerprint,
    close_interrupted,
    count_known,
    open_study,
    rows,
    summarize,
)

TPE = {"_target_": "optuna.samplers.TPESampler", "seed": 3}


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/studies.db"


def open_one(storage: str | None, direction: str = "maximize") -> optuna.Study:
    return open_study("one", storage, direction, build_sampler(TPE, count_known("one", storage)))


def finish(study: optuna.Study, value: float | None, state: str = "COMPLETE") -> int:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    study.tell(trial, value, state=optuna.trial.TrialState[state])
    return trial.number


def test_a_study_goes_on_in_its_database(storage: str, tmp_path: Path) -> None:
    finish(open_one(storage), 0.5)
    study = open_one(storage)
    finish(study, None, "FAIL")
    finish(study, None, "PRUNED")
    table = rows(study, tmp_path)
    assert [row.state for row in table] == [State.COMPLETE, State.FAILED, State.PRUNED]
    assert [row.value for row in table] == [0.5, None, None]
    assert count_known("one", storage) == 3


def test_interrupted_trials_are_closed_do_not_count_and_go_first(
    storage: str, tmp_path: Path
) -> None:
    study = open_one(storage)
    left = study.ask()
    value = left.suggest_float("x", 0, 1)
    again = open_one(storage)
    assert close_interrupted(again) == [0]
    assert rows(again, tmp_path) == ()
    retry = again.ask()
    assert retry.number == 1
    assert retry.suggest_float("x", 0, 1) == value
    assert close_interrupted(again) == [1]
    assert again.get_trials(states=(optuna.trial.TrialState.RUNNING,)) == []


@pytest.mark.parametrize(("direction", "best"), [("maximize", 2), ("minimize", 1)])
def test_the_best_is_the_first_with_the_best_value(
    direction: str, best: int, tmp_path: Path
) -> None:
    study = open_one(None, direction)
    for value in (0.5, 0.1, 0.9, 0.9, 0.1):
        finish(study, value)
    summary = summarize(study, tmp_path)
    assert summary.best is not None
    assert summary.best.number == best
    assert summary.maximize == (direction == "maximize")


def test_a_study_without_a_complete_trial_has_no_best(tmp_path: Path) -> None:
    study = open_one(None)
    finish(study, None, "FAIL")
    assert summarize(study, tmp_path).best is None


def test_a_seeded_sampler_proposes_new_points_when_a_study_goes_on(storage: str) -> None:
    first = open_one(storage).ask().suggest_float("x", 0, 1)
    assert open_one(None).ask().suggest_float("x", 0, 1) == first
    assert open_one(storage).ask().suggest_float("x", 0, 1) != first


def test_an_unseeded_sampler_is_built(storage: str) -> None:
    config = OmegaConf.create({"_target_": "optuna.samplers.RandomSampler", "seed": None})
    assert isinstance(build_sampler(config, 5), optuna.samplers.RandomSampler)


def test_a_study_of_another_recipe_is_refused_with_the_way_out() -> None:
    study = open_one(None)
    check_fingerprint(study, {"batch_size": "32", "optimizer": "adam,sgd"})
    check_fingerprint(study, {"batch_size": "32", "optimizer": "adam,sgd"})
    with pytest.raises(ConfigError) as caught:
        check_fingerprint(study, {"batch_size": "64", "optimizer": "adam,sgd", "seed": "1"})
    assert caught.value.faults == (
        "batch_size is 64, but the trials of study one have 32",
        "seed is 1, but the trials of study one have none",
        "to keep that study and start another: hydra.sweeper.study_name=<name>",
    )
