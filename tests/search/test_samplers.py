import inspect
import sys
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from sweeper.errors import ConfigError
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS
from sweeper.search.settings.samplers import build_pruner, build_sampler, grid_size

GRID: Mapping[str, Any] = {"n": [2, 4, 6], "kind": ["a", None], "flag": [True, False]}
SIZE = 12
DISCRETE = ("grid", "bruteforce")
OWN = {
    ("grid", "search_space"): None,
    ("percentile", "percentile"): 25.0,
    ("patient", "wrapped_pruner"): None,
    ("patient", "patience"): "???",
}
"""Where Optuna has no default."""
NEEDS = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}


def sampler(name: str, **keywords: Any) -> BaseSampler:
    return build_sampler({**SAMPLERS[name], **keywords}, lambda: GRID)


def faults(config: Any) -> tuple[str, ...]:
    """What is wrong with ``hydra.sweeper.sampler``."""
    with pytest.raises(ConfigError) as caught:
        build_sampler(config, lambda: GRID)
    return caught.value.faults


def discrete(trial: optuna.Trial) -> float:
    n = trial.suggest_int("n", 2, 6, step=2)
    kind = trial.suggest_categorical("kind", ["a", None])
    flag = trial.suggest_categorical("flag", [True, False])
    return n + (kind is None) + 2 * flag


def mixed(trial: optuna.Trial) -> float:
    return trial.suggest_float("rate", 1e-5, 1, log=True) + discrete(trial)


def study_of(
    made: BaseSampler, storage: optuna.storages.BaseStorage | None = None, n_objectives: int = 1
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        study_name="one",
        storage=storage,
        sampler=made,
        directions=["minimize"] * n_objectives,
        load_if_exists=True,
    )


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in (SAMPLERS, PRUNERS) for n in g])
def test_the_table_is_that_of_the_installed_optuna(group: Any, name: str) -> None:
    module, _, made = group[name]["_target_"].rpartition(".")
    parameters = inspect.signature(getattr(optuna, module.split(".")[1]).__dict__[made]).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    own = {key: value for (option, key), value in OWN.items() if option == name}
    assert all(defaults[key] is inspect.Parameter.empty for key in own)
    table = {key: value for key, value in group[name].items() if key != "_target_"}
    assert table == defaults | own
    # 1 == True == 1.0, but a person reads the type
    assert {key: type(table[key]) for key in table} == {
        key: type(value) for key, value in (defaults | own).items()
    }


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_runs_a_study(name: str) -> None:
    if any(find_spec(package) is None for package in NEEDS.get(name, ())):
        pytest.skip(f"{name} needs {NEEDS[name]}")
    objective = discrete if name in DISCRETE else mixed
    early = {"n_startup_trials": 2} if name in ("tpe", "cmaes", "gp") else {}
    small = {"population_size": 2} if name.startswith("nsga") else {}
    study = study_of(sampler(name, seed=1, **early, **small))
    study.optimize(objective, n_trials=6)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 6
    assert len({str(trial.params) for trial in study.trials}) > 1


def test_experimental_samplers_are_built_in_silence_and_other_warnings_shown() -> None:
    with warnings.catch_warnings(record=True) as received:
        warnings.simplefilter("always")
        crossover = {"_target_": "optuna.samplers.nsgaii.BLXAlphaCrossover"}
        for name in ("nsgaiii", "qmc", "bruteforce"):
            sampler(name)
        sampler("tpe", group=True)
        sampler("nsgaii", crossover=crossover)
        build_pruner({**PRUNERS["patient"], "patience": 1})
        assert received == []
        sampler("tpe", consider_magic_clip=False)
    assert ["deprecated" in str(warning.message) for warning in received] == [True]
    with pytest.warns(ExperimentalWarning):
        optuna.samplers.BruteForceSampler()


def test_the_size_of_a_grid_is_known_and_of_others_not() -> None:
    assert grid_size(sampler("grid")) == SIZE
    assert grid_size(sampler("grid", search_space={"x": [1, 2]})) == 2
    assert grid_size(sampler("bruteforce")) is None


def test_only_a_grid_asks_for_the_grid() -> None:
    def grid() -> Mapping[str, Any]:
        raise ConfigError(["x is continuous"])

    assert isinstance(build_sampler(SAMPLERS["tpe"], grid), TPESampler)
    with pytest.raises(ConfigError, match="x is continuous"):
        build_sampler(SAMPLERS["grid"], grid)


def test_a_node_of_omegaconf_is_read_with_what_it_refers_to() -> None:
    config = OmegaConf.create({"seed": 3, "node": {**SAMPLERS["random"], "seed": "${seed}"}})
    made = build_sampler(config.node, dict)
    again = sampler("random", seed=3)
    assert study_of(made).ask().suggest_float("x", 0, 1) == (
        study_of(again).ask().suggest_float("x", 0, 1)
    )


def test_a_sampler_inside_a_sampler_goes_by_name_or_by_node() -> None:
    for inner in ("tpe", {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 3}):
        made: Any = sampler("qmc", independent_sampler=inner)
        assert isinstance(made._independent_sampler, TPESampler)


def test_reference_points_may_be_written_as_a_list() -> None:
    study = study_of(
        sampler("nsgaiii", population_size=2, reference_points=[[1, 0], [0, 1]]), n_objectives=2
    )
    study.optimize(lambda trial: (mixed(trial), discrete(trial)), n_trials=8)
    assert len(study.trials) == 8


def test_all_faults_of_keywords_come_at_once_with_the_known() -> None:
    assert faults(
        {
            "_target_": "optuna.samplers.RandomSampler",
            "sed": 3,
            "multivariate": True,
            "seed": "three",
        }
    ) == (
        "hydra.sweeper.sampler.sed is not a keyword of RandomSampler; did you mean 'seed'?; "
        "known: seed",
        "hydra.sweeper.sampler.multivariate is not a keyword of RandomSampler; known: seed",
        "hydra.sweeper.sampler.seed must be a whole number or null, got 'three' (str)",
    )


OF_HYDRA = {"_partial_", "_convert_", "_recursive_"}  # say how Hydra would make an object


@given(
    st.text(min_size=1).filter(lambda key: key not in {*SAMPLERS["tpe"], *OF_HYDRA}), st.integers()
)
def test_no_unknown_keyword_passes(key: str, value: int) -> None:
    (fault,) = faults({**SAMPLERS["tpe"], key: value})
    assert fault.startswith(f"hydra.sweeper.sampler.{key} is not a keyword of TPESampler")


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"n_startup_trials": 2.5}, "n_startup_trials must be a whole number, got 2.5 (float)"),
        ({"n_startup_trials": True}, "n_startup_trials must be a whole number, got True (bool)"),
        ({"multivariate": "yes"}, "multivariate must be true or false or null, got 'yes' (str)"),
        (
            {"multivariate": False, "group": True},
            "multivariate=false, hydra.sweeper.sampler.group=true is refused by TPESampler: ``gr",
        ),
        ({"_target_": "optuna.samplers.TPESample"}, "_target_ must name a class, got"),
        ({"_target_": "optuna.pruners.NopPruner"}, "_target_ must name an Optuna sampler, got"),
        ({"_target_": "no.such.Sampler"}, "_target_ must name a class, got 'no.such.Sampler'"),
        (
            {"gamma": {"_target_": "no.such.function"}},
            "hydra.sweeper.sampler.gamma: Error locating target 'no.such.function'",
        ),
    ],
)
def test_what_a_sampler_does_not_take_is_a_fault(keywords: Any, expected: str) -> None:
    (fault,) = faults({**SAMPLERS["tpe"], **keywords})
    assert expected in fault


@pytest.mark.parametrize("chosen", [name for name in SAMPLERS if name not in NEEDS])
@pytest.mark.parametrize("left", SAMPLERS)
def test_keywords_of_the_option_that_a_class_is_written_over_are_left_out(
    chosen: str, left: str
) -> None:
    """``sampler: {_target_: ...}`` in a recipe is merged into what the group has chosen."""
    over = {**SAMPLERS[left], "_target_": SAMPLERS[chosen]["_target_"], "seed": 1}
    build_sampler(over, lambda: GRID)


def test_a_keyword_of_another_option_that_a_person_set_is_a_fault() -> None:
    over = {**SAMPLERS["tpe"], "_target_": SAMPLERS["random"]["_target_"]}
    (fault,) = faults({**over, "n_startup_trials": 5})
    assert fault.startswith("hydra.sweeper.sampler.n_startup_trials is not a keyword of RandomS")
    # alone, it was not left by tpe
    (fault,) = faults({**SAMPLERS["random"], "n_startup_trials": 10})
    assert fault.startswith("hydra.sweeper.sampler.n_startup_trials is not a keyword of RandomS")
    pruner = {**PRUNERS["median"], "_target_": PRUNERS["hyperband"]["_target_"]}
    build_pruner(pruner)
    with pytest.raises(ConfigError, match="n_warmup_steps is not a keyword of HyperbandPruner"):
        build_pruner({**pruner, "n_warmup_steps": 3})


def test_faults_of_a_nested_sampler_name_their_place() -> None:
    where = "hydra.sweeper.sampler.independent_sampler"
    nested = {"_target_": "optuna.samplers.RandomSampler", "sede": 1}
    (fault,) = faults({**SAMPLERS["qmc"], "independent_sampler": nested})
    assert fault.startswith(f"{where}.sede is not a keyword of RandomSampler")
    (fault,) = faults({**SAMPLERS["qmc"], "independent_sampler": "tpee"})
    assert fault.startswith(f"{where} must be one of tpe, random, ")
    assert fault.endswith("got 'tpee'; did you mean 'tpe'?")


def test_a_name_in_place_of_a_node_is_shown_how_to_choose() -> None:
    assert faults("tpe") == (
        "hydra.sweeper.sampler must be a group of keys, got 'tpe'; "
        "choose with hydra/sweeper/sampler=<name>",
    )


def test_a_missing_package_is_reported_before_the_first_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("cmaes", "torch", "scipy"):
        monkeypatch.setitem(sys.modules, name, None)
    assert faults(SAMPLERS["cmaes"]) == (
        "hydra/sweeper/sampler=cmaes needs the package cmaes; pip install cmaes",
    )
    assert faults(SAMPLERS["gp"]) == (
        "hydra/sweeper/sampler=gp needs the packages torch, scipy; pip install torch scipy",
    )


class Tuned(RandomSampler):
    """A sampler of a person's own."""

    def __init__(self, strength: float, **others: Any) -> None:
        super().__init__(**others)
        self.strength = strength


def test_a_sampler_of_ones_own_may_take_any_keyword() -> None:
    target = f"{__name__}.Tuned"
    made = build_sampler({"_target_": target, "strength": 1, "seed": 3}, dict)
    assert isinstance(made, Tuned)
    assert faults({"_target_": target}) == (
        "hydra.sweeper.sampler.strength is missing; set hydra.sweeper.sampler.strength=<value>",
    )


PRUNING: Mapping[str, Mapping[str, Any]] = {
    "median": {"n_startup_trials": 2},
    "percentile": {"n_startup_trials": 2},
    "hyperband": {"max_resource": 9},
    "successive_halving": {"min_resource": 1},
    "patient": {"patience": 1},
    "threshold": {"upper": 12},
    "wilcoxon": {},
}


def count_pruned(config: Mapping[str, Any] | None) -> int:
    """Each trial is worse than the one before, and becomes worse as it continues."""

    def objective(trial: optuna.Trial) -> float:
        for step in range(9):
            trial.report(trial.number + step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return trial.number

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="one", pruner=build_pruner(config))
    study.optimize(objective, n_trials=12)
    return len(study.get_trials(states=(TrialState.PRUNED,)))


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_prunes_what_deserves_it_and_nop_nothing(name: str) -> None:
    assert (count_pruned({**PRUNERS[name], **PRUNING.get(name, {})}) > 0) == (name != "nop")


def test_no_pruner_prunes_nothing() -> None:
    assert count_pruned(None) == 0


@pytest.mark.parametrize(
    "inner", ["median", {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2}, "nop"]
)
def test_a_pruner_wraps_another_by_name_or_by_node(inner: Any) -> None:
    config = {**PRUNERS["patient"], "patience": 1, "wrapped_pruner": inner}
    assert (count_pruned(config) > 0) == (inner != "nop")


@pytest.mark.parametrize(
    ("name", "keywords", "expected"),
    [
        (
            "patient",
            {},
            "hydra.sweeper.pruner.patience is missing; set hydra.sweeper.pruner.patience=<value>",
        ),
        ("patient", {"patience": -1}, "refused by PatientPruner: patience cannot be negative"),
        ("threshold", {}, "refused by ThresholdPruner: Either lower or upper must be specified"),
        ("threshold", {"upper": "1"}, "upper must be a number or null, got '1' (str)"),
        ("percentile", {"percentile": 101}, "refused by PercentilePruner: Percentile must be"),
        ("hyperband", {"max_resource": "max"}, "refused by HyperbandPruner"),
        ("hyperband", {"max_resource": 2.5}, "must be text or a whole number, got 2.5 (float)"),
        ("nop", {"warmup": 1}, "warmup is not a keyword of NopPruner; known: none"),
        (
            "patient",
            {"patience": 1, "wrapped_pruner": "medium"},
            "wrapped_pruner must be one of nop, median, percentile, hyperband",
        ),
    ],
)
def test_what_a_pruner_does_not_take_is_a_fault(
    name: str, keywords: Mapping[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build_pruner({**PRUNERS[name], **keywords})
    (fault,) = caught.value.faults
    assert expected in fault
