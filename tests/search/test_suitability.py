from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.search.settings.samplers import build_sampler
from sweeper.search.settings.suitability import check_sampler
from sweeper.search.space.search_space import SearchSpace, parse_space


def compose(_overrides: tuple[str, ...]) -> DictConfig:
    return OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})


def space(**params: Any) -> SearchSpace:
    return parse_space(OverridesParser.create(), params, [], compose)


MIXED = {
    "kind": "choice(a,b)",
    "x": "interval(0,1)",
    "depth": {"when": {"kind": "b"}, "value": "range(1,4)"},
}


def test_brute_force_over_infinitely_many_values_is_refused() -> None:
    sampler = build_sampler({"_target_": "optuna.samplers.BruteForceSampler"}, dict)
    with pytest.raises(ConfigError) as caught:
        check_sampler(sampler, space(**MIXED, y={"when": {"kind": "a"}, "value": "interval(0,1)"}))
    assert [fault.split()[0] for fault in caught.value.faults] == ["x", "y"]
    assert check_sampler(sampler, space(kind="choice(a,b)", n="range(0,1,0.5)")) == []


def test_what_a_sampler_draws_at_random_is_reported() -> None:
    qmc = build_sampler({"_target_": "optuna.samplers.QMCSampler"}, dict)
    assert check_sampler(qmc, space(**MIXED)) == [
        "QMC cannot learn from choices and conditions; drawn at random: depth"
    ]
    (printed,) = check_sampler(optuna.samplers.CmaEsSampler(), space(**MIXED))
    assert printed.endswith("drawn at random: depth, kind")
    assert check_sampler(optuna.samplers.CmaEsSampler(), space(x="interval(0,1)")) == []
    assert check_sampler(optuna.samplers.TPESampler(), space(**MIXED)) == []
