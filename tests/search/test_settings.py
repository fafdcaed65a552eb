from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweeper.errors import ConfigError
from sweeper.records import Cause
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS, SWEEPER
from sweeper.search.settings.sweep_settings import ExecutorSettings, SweepSettings, WarmStart


def read(**settings: Any) -> SweepSettings:
    return SweepSettings.read(settings)


def faults(**settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(**settings)
    return caught.value.faults


def test_what_is_left_out_has_its_default() -> None:
    assert read().model_dump() == {
        "sampler": SAMPLERS["tpe"],
        "pruner": None,
        "directions": ("minimize",),
        "storage": None,
        "study_name": None,
        "n_trials": 20,
        "n_jobs": None,
        "max_failure_rate": None,
        "params": None,
        "custom_search_space": None,
        "enqueue": [],
        "warm_start": None,
        "retries": {"killed": 1, "raised": 0, "timeout": 0, "oom": 0, "nonsense": 0, "lost": 3},
        "trial_timeout": None,
        "timeout": None,
        "target": None,
        "patience": None,
        "min_gain": None,
        "resume": True,
        "heartbeat_interval": 60,
        "storage_timeout": 600,
        "executor": {
            "kind": "process",
            "devices": "auto",
            "trials_per_device": None,
            "threads": None,
            "address": None,
            "num_cpus": None,
            "num_gpus": None,
        },
    }


def test_every_cause_has_a_number_of_retries() -> None:
    assert SWEEPER["retries"].keys() == set(Cause)


def test_each_form_of_a_setting_is_read() -> None:
    settings = read(
        direction=["maximize", "minimize"],
        n_jobs=-1,
        retries={"raised": 2},
        warm_start={"study_name": "old", "storage": "sqlite:///old.db"},
        enqueue=[{"x": 1}, {}],
        executor={"devices": [0, "GPU-1"]},
        pruner=PRUNERS["median"],
        timeout=1.5,
    )
    assert settings.directions == ("maximize", "minimize")
    assert settings.retries.by_cause == {
        **dict.fromkeys(Cause, 0),
        Cause.KILLED: 1,
        Cause.RAISED: 2,
        Cause.LOST: 3,
    }
    assert settings.warm_start == WarmStart(study_name="old", storage="sqlite:///old.db")
    assert settings.enqueue == [{"x": 1}, {}]
    assert settings.executor == ExecutorSettings(
        **{"kind": "process", "devices": [0, "GPU-1"], "trials_per_device": None, "threads": None},
        **{"address": None, "num_cpus": None, "num_gpus": None},
    )
    killed = {**dict.fromkeys(Cause, 0), Cause.KILLED: 2, Cause.LOST: 3}
    assert read(retries=2).retries.by_cause == killed
    assert read(retries=0).retries.by_cause == dict.fromkeys(Cause, 0)
    own = read(warm_start="old", storage="sqlite:///mine.db")
    assert own.warm_start == WarmStart(study_name="old")


def test_nodes_of_omegaconf_are_plain_and_the_search_space_is_left_as_written() -> None:
    node = OmegaConf.create({"width": 3, "x": "int(interval(1, ${width}))", "y": "${nowhere}"})
    settings = read(params=node, executor=OmegaConf.create({"devices": [1]}))
    assert settings.params == {"width": 3, "x": "int(interval(1, ${width}))", "y": "${nowhere}"}
    assert settings.executor.devices == [1]


def test_keys_of_hydra_pass() -> None:
    assert read(_target_="plugin", _recursive_=False).n_trials == 20


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials must be >= 1, got 0"),
        ({"n_trials": "9"}, "hydra.sweeper.n_trials must be a whole number, got '9' (str)"),
        ({"n_trials": True}, "hydra.sweeper.n_trials must be a whole number, got True (bool)"),
        ({"n_trials": 2.0}, "hydra.sweeper.n_trials must be a whole number, got 2.0 (float)"),
        ({"n_jobs": -2}, "hydra.sweeper.n_jobs must be >= 1, or -1 for as many as cores, got -2"),
        ({"n_jobs": 0}, "hydra.sweeper.n_jobs must be >= 1, or -1 for as many as cores, got 0"),
        ({"direction": "up"}, "hydra.sweeper.direction must be minimize or maximize, got 'up'"),
        (
            {"direction": "MAXIMIZE"},
            "hydra.sweeper.direction must be minimize or maximize, got 'MAXIMIZE'; in lower case",
        ),
        ({"direction": []}, "hydra.sweeper.direction must name at least one direction, got []"),
        (
            {"direction": ["minimize", None]},
            "hydra.sweeper.direction must be minimize or maximize, got None",
        ),
        ({"max_failure_rate": 2}, "hydra.sweeper.max_failure_rate must be <= 1.0, got 2"),
        (
            {"max_failure_rate": float("nan")},
            "hydra.sweeper.max_failure_rate must be finite, got nan",
        ),
        ({"trial_timeout": 0}, "hydra.sweeper.trial_timeout must be > 0.0, got 0"),
        ({"timeout": "1h"}, "hydra.sweeper.timeout must be a number, got '1h' (str)"),
        ({"target": "best"}, "hydra.sweeper.target must be a number, got 'best' (str)"),
        ({"patience": 0}, "hydra.sweeper.patience must be >= 1, got 0"),
        ({"resume": "yes"}, "hydra.sweeper.resume must be true or false, got 'yes' (str)"),
        ({"resume": None}, "hydra.sweeper.resume must be true or false, got null"),
        ({"heartbeat_interval": 0}, "hydra.sweeper.heartbeat_interval must be >= 1, got 0"),
        ({"storage": 3}, "hydra.sweeper.storage must be text, got 3 (int)"),
        ({"params": "x"}, "hydra.sweeper.params must be a group of keys, got 'x' (str)"),
        (
            {"enqueue": {"x": 1}},
            "hydra.sweeper.enqueue must be a list, got {'x': 1}",
        ),
        (
            {"enqueue": [{}, "best.yaml", 1]},
            "hydra.sweeper.enqueue[2] must be a parameter set, or the path of an "
            "optimization_results.yaml, got 1 (int)",
        ),
        ({"retries": -1}, "hydra.sweeper.retries.killed must be >= 0, got -1"),
        ({"retries": {"oom": -1}}, "hydra.sweeper.retries.oom must be >= 0, got -1"),
        (
            {"retries": {"kill": 1}},
            "hydra.sweeper.retries.kill is not a setting of the sweep; did you mean 'killed'?",
        ),
        (
            {"n_trails": 3},
            "hydra.sweeper.n_trails is not a setting of the sweep; did you mean 'n_trials'?",
        ),
        ({"warm_start": {"storage": "s"}}, "hydra.sweeper.warm_start.study_name is missing; set"),
        ({"warm_start": {"study_name": "a", "storage": "s", "n": 1}}, "hydra.sweeper.warm_start.n"),
        (
            {"warm_start": 3},
            "hydra.sweeper.warm_start must be a study's name, or study_name and storage, got 3",
        ),
        (
            {"warm_start": "old"},
            "hydra.sweeper.warm_start needs a storage: hydra.sweeper.warm_start.storage=<url>",
        ),
        ({"executor": "inline"}, "hydra.sweeper.executor must be a group of keys, got 'inline'"),
        (
            {"executor": {"kind": "thread"}},
            "hydra.sweeper.executor.kind must name an executor, got 'thread'",
        ),
        (
            {"executor": {"devices": "gpu"}},
            "hydra.sweeper.executor.devices must be auto, cpu or a list of CUDA devices, got 'gpu'",
        ),
        ({"executor": {"devices": []}}, "hydra.sweeper.executor.devices must be auto, cpu or"),
        ({"executor": {"devices": [1.5]}}, "hydra.sweeper.executor.devices must be auto, cpu or"),
        (
            {"executor": {"trials_per_device": 0}},
            "hydra.sweeper.executor.trials_per_device must be >= 1, got 0",
        ),
        (
            {"executor": {"device": "cpu"}},
            "hydra.sweeper.executor.device is not a setting of",
        ),
        (
            {"executor": {"kind": "inline", "devices": "cpu"}},
            "hydra.sweeper.executor.kind=inline runs in this process",
        ),
        (
            {"executor": {"kind": "inline"}, "n_jobs": 2},
            "hydra.sweeper.n_jobs needs trials in processes of their own, got 2; "
            "set hydra.sweeper.executor.kind=process",
        ),
        (
            {"executor": {"kind": "inline"}, "trial_timeout": 9},
            "hydra.sweeper.trial_timeout needs trials in processes of their own, got 9",
        ),
        (
            {"executor": {"kind": "ray", "devices": [0]}},
            "hydra.sweeper.executor.devices has no effect with kind=ray: Ray gives devices to "
            "trials; set num_cpus and num_gpus",
        ),
        (
            {"executor": {"kind": "ray", "num_gpus": -1}},
            "hydra.sweeper.executor.num_gpus must be >= 0.0, got -1",
        ),
        (
            {"executor": {"num_gpus": 1}},
            "hydra.sweeper.executor.num_gpus has no effect with kind=process: set kind=ray, or "
            "leave it out",
        ),
        (
            {"executor": {"kind": "inline", "address": "local"}},
            "hydra.sweeper.executor.address has no effect with kind=inline",
        ),
        ({"n_trials": None}, "hydra.sweeper: nothing ends the study; set one of n_trials, timeout"),
        (
            {"direction": ["minimize", "maximize"], "target": 0.5},
            "hydra.sweeper.target takes one objective, but hydra.sweeper.direction has 2",
        ),
        (
            {"direction": ["minimize", "maximize"], "patience": 5},
            "hydra.sweeper.patience takes one objective, but hydra.sweeper.direction has 2",
        ),
        ({"sampler": "tpe"}, "hydra.sweeper.sampler must be a group of keys, got 'tpe'; choose"),
        ({"pruner": PRUNERS["patient"]}, "hydra.sweeper.pruner.patience is missing; set"),
    ],
)
def test_a_fault_is_one_sentence(settings: dict[str, Any], fault: str) -> None:
    (found,) = faults(**settings)
    assert found.startswith(fault)


def test_cmaes_takes_one_objective() -> None:
    pytest.importorskip("cmaes")
    (found,) = faults(sampler=SAMPLERS["cmaes"], direction=["minimize", "minimize"])
    assert found == (
        "hydra/sweeper/sampler=cmaes takes one objective, but hydra.sweeper.direction has 2"
    )


@pytest.mark.parametrize(
    "end", [{"timeout": 5}, {"target": 0}, {"patience": 3}, {"sampler": SAMPLERS["grid"]}]
)
def test_without_a_total_something_else_ends_the_study(end: dict[str, Any]) -> None:
    assert read(n_trials=None, **end).n_trials is None


def test_faults_of_everything_come_at_once() -> None:
    found = faults(
        n_trials=0,
        n_jobs="all",
        direction=["minimize", "up"],
        target=3,
        retries={"kill": "x"},
        executor={"kind": "inline", "trials_per_device": "many"},
        trial_timeout=3,
        sampler={**SAMPLERS["random"], "sed": 1},
        pruner={**PRUNERS["threshold"], "uper": 1},
        unknown=1,
    )
    places = sorted({sentence.split()[0].removeprefix("hydra.sweeper.") for sentence in found})
    assert places == [
        "direction",
        "executor.kind=inline",
        "executor.trials_per_device",
        "n_jobs",
        "n_trials",
        "pruner.uper",
        "retries.kill",
        "sampler.sed",
        "target",
        "trial_timeout",
        "unknown",
    ]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=8), scalars)


@given(st.dictionaries(st.sampled_from(sorted(SWEEPER)) | st.text(max_size=8), anything))
def test_whatever_a_person_writes_is_read_or_reported(settings: dict[str, Any]) -> None:
    found: tuple[str, ...] = ()
    try:
        SweepSettings.read(settings)
    except ConfigError as error:
        found = error.faults
    assert all(fault.startswith("hydra") for fault in found)
