"""Keywords with which a sampler or pruner fails, or never ends, are refused before the study."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS
from sweeper.search.settings.dry_run import dry_run
from sweeper.search.settings.samplers import build_pruner, build_sampler
from sweeper.search.settings.synthetic_study import work
from sweeper.search.space.search_space import SearchSpace, parse_space

SPACE = {
    "rate": "tag(log, interval(1e-5, 1e-1))",
    "n": "int(interval(1, 8))",
    "kind": "choice(x, y)",
}
FINITE = {"n": "int(interval(1, 8))", "kind": "choice(x, y)"}
NUMBERS = {"rate": "tag(log, interval(1e-5, 1e-1))", "x": "interval(0, 1)"}


def compose(_overrides: tuple[str, ...]) -> DictConfig:
    return OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})


def space(**params: Any) -> SearchSpace:
    return parse_space(OverridesParser.create(), params, (), compose)


def of(name: str) -> SearchSpace:
    return space(**(FINITE if name in ("grid", "bruteforce") else NUMBERS | SPACE))


def available(name: str) -> bool:
    needs = {"cmaes": ["cmaes"], "gp": ["torch", "scipy"]}.get(name, [])
    return all(find_spec(package) for package in needs)


def faults(sampler: Mapping[str, Any], pruner: Any = None, on: Any = None, n: int = 1) -> Any:
    name = str(sampler["_target_"])
    try:
        dry_run(sampler, pruner, on or of("grid" if "Grid" in name else ""), ["maximize"] * n)
    except ConfigError as error:
        return error.faults
    return ()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_as_it_is_passes(name: str) -> None:
    if not available(name):
        pytest.skip(f"{name} needs packages")
    assert faults(SAMPLERS[name], on=of(name)) == ()
    if name not in ("cmaes", "gp"):
        assert faults(SAMPLERS[name] | {"seed": 3}, on=of(name), n=2) == ()


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_as_it_is_passes(name: str) -> None:
    needed = {"patient": {"patience": 2}, "threshold": {"lower": 0.0}}.get(name, {})
    assert faults(SAMPLERS["random"], PRUNERS[name] | needed) == ()


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("tpe", {"gamma": 1}),
        ("tpe", {"n_startup_trials": 40, "weights": "linear"}),
        ("tpe", {"n_ei_candidates": 0}),
        ("tpe", {"n_ei_candidates": 10**10}),
        ("cmaes", {"x0": []}),
        ("cmaes", {"popsize": 0}),
        pytest.param("cmaes", {"popsize": 2**63}, marks=pytest.mark.slow),
        ("nsgaiii", {"reference_points": [[1, 2, 3]]}),
        ("grid", {"search_space": {"n": [1, 2]}}),
    ],
)
def test_a_sampler_that_fails_later_is_refused_by_its_keyword(
    name: str, keywords: dict[str, Any]
) -> None:
    if not available(name):
        pytest.skip(f"{name} needs packages")
    *_, key = keywords
    (fault,) = faults(SAMPLERS[name] | keywords, on=of(name), n=1 + (name == "nsgaiii"))
    assert fault.startswith(f"hydra.sweeper.sampler.{key} must be a value with which ")
    assert f"; set hydra.sweeper.sampler.{key}=" in fault


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("hyperband", "reduction_factor", 0),
        ("hyperband", "reduction_factor", 1),
        ("hyperband", "max_resource", 0),
        pytest.param(
            "successive_halving", "min_early_stopping_rate", 2**40, marks=pytest.mark.slow
        ),
        (
            "patient",
            "wrapped_pruner",
            {"_target_": "optuna.pruners.HyperbandPruner", "reduction_factor": 1},
        ),
    ],
)
def test_a_pruner_that_fails_later_is_refused_by_its_keyword(
    name: str, key: str, value: object
) -> None:
    needed = {"patient": {"patience": 2}}.get(name, {})
    (fault,) = faults(SAMPLERS["random"], PRUNERS[name] | needed | {key: value})
    assert fault.startswith(f"hydra.sweeper.pruner.{key} must be a value with which ")


def test_all_keywords_that_fail_are_named_at_once() -> None:
    printed = faults(SAMPLERS["tpe"] | {"gamma": 1, "weights": 2, "seed": 3})
    assert [fault.split(" ")[0] for fault in printed] == [
        "hydra.sweeper.sampler.gamma",
        "hydra.sweeper.sampler.weights",
    ]


def test_a_class_of_ones_own_is_left_alone() -> None:
    assert faults({"_target_": "sweeper.search.no_such.Sampler"}) == ()


ODD = st.one_of(
    st.integers(-2, 3),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([None, True, False, "x", "", [], [1], {}, {"a": 1}, 10**4, 2**31, -(2**63)]),
)
KEYWORDS = [
    (group, name, key)
    for group, table in (("sampler", SAMPLERS), ("pruner", PRUNERS))
    for name, defaults in table.items()
    if name not in ("gp", "cmaes", "wilcoxon")
    for key in defaults
    if key not in ("_target_", "constraints_func")
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYWORDS), ODD)
def test_what_is_accepted_works(where: tuple[str, str, str], value: object) -> None:
    """Refused in the form of every fault, or good for a study."""
    group, name, key = where
    sampler, pruner = dict(SAMPLERS["random"]), None
    needed = {"patient": {"patience": 2}, "threshold": {"lower": 0.0}}.get(name, {})
    try:
        if group == "sampler":
            sampler = {**SAMPLERS[name], key: value}
            build_sampler(sampler, of(name).grid)
        else:
            pruner = {**PRUNERS[name], **needed, key: value}
            build_pruner(pruner)
        dry_run(sampler, pruner, of(name), ["minimize"])
    except ConfigError:
        return
    work(sampler, pruner, of(name), ["minimize"])
