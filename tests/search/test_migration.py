"""What hydra-optuna-sweeper's documentation promises, and configurations that were written for it.

https://hydra.cc/docs/plugins/optuna_sweeper; trials of whole applications are in test_compat.py.
"""

import ast
from collections.abc import Mapping
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import NSGAIISampler, TPESampler

from hydra_plugins.async_optuna import AsyncOptunaSweeper
from sweeper.errors import ConfigError
from sweeper.search.script_import import _guards
from sweeper.search.settings.defaults import SAMPLERS
from sweeper.search.settings.migration import storage_url, written_as_params
from sweeper.search.settings.samplers import build_sampler
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.space.search_space import parse_space
from sweeper.search.space.syntax import distribution_of, read_override

PARSER = OverridesParser.create()


def distribution(text: str) -> BaseDistribution | None:
    return distribution_of(read_override(PARSER, f"key={text}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choice(1,2)", CategoricalDistribution([1, 2])),
        ("choice(true, false)", CategoricalDistribution([True, False])),
        ("choice('hello', 'world')", CategoricalDistribution(["hello", "world"])),
        ("choice(-5.0, 0.0, 5.0)", CategoricalDistribution([-5.0, 0.0, 5.0])),
        ("interval(-5.0, 5.0)", FloatDistribution(-5, 5)),
        ("interval(1, 5)", FloatDistribution(1, 5)),
        ("int(interval(-5.0, 5.0))", IntDistribution(-5, 5)),
        ("tag(log, interval(1, 10))", FloatDistribution(1, 10, log=True)),
        ("tag(log, int(interval(1, 5)))", IntDistribution(1, 5, log=True)),
        # documented differences: the end is left out, and what is shuffled stays a range
        ("range(1,3)", IntDistribution(1, 2)),
        ("shuffle(range(1,3))", IntDistribution(1, 2)),
        ("range(0.5, 5.5, step=1)", FloatDistribution(0.5, 4.5, step=1)),
        ("range(-5.0, 5.0)", FloatDistribution(-5, 4, step=1)),
    ],
)
def test_overrides_become_the_documented_distributions(
    text: str, expected: BaseDistribution
) -> None:
    assert distribution(text) == expected
    # a file may say the same
    space = parse_space(PARSER, {"key": text}, (), _never)
    assert space.searched["key"][0].values == expected


def _never(_overrides: tuple[str, ...]) -> DictConfig:
    raise AssertionError("composed for nothing")


def test_a_command_line_replaces_what_the_file_searches_or_fixes_it() -> None:
    params = {"x": "range(-5.5, 5.5, step=0.5)", "y": "choice(-5, 0, 5)"}
    space = parse_space(PARSER, params, ("x=interval(-5.0, 5.0)", "y=0"), _never)
    assert space.searched["x"][0].values == FloatDistribution(-5, 5)
    assert "y" not in space.searched
    assert space.fixed_values == {"y": 0}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"type": "categorical", "choices": [1, 2, 3]}, CategoricalDistribution([1, 2, 3])),
        ({"type": "categorical", "choices": ["a b"]}, CategoricalDistribution(["a b"])),
        (
            {"type": "categorical", "choices": [None, True, "x", 0.5]},
            CategoricalDistribution([None, True, "x", 0.5]),
        ),
        ({"type": "int", "low": 0, "high": 10}, IntDistribution(0, 10)),
        ({"type": "int", "low": 0, "high": 10, "step": 2}, IntDistribution(0, 10, step=2)),
        ({"type": "int", "low": 1.0, "high": 100, "log": True}, IntDistribution(1, 100, log=True)),
        ({"type": "float", "low": 0, "high": 1}, FloatDistribution(0, 1)),
        ({"type": "float", "low": 0, "high": 10, "step": 2}, FloatDistribution(0, 10, step=2)),
        (
            {"type": "float", "low": 0.1, "high": 0.9, "step": 0.2, "log": False},
            FloatDistribution(0.1, 0.9, step=0.2),
        ),
        (
            {"type": "float", "low": 1, "high": 100, "log": True},
            FloatDistribution(1, 100, log=True),
        ),
    ],
)
def test_the_search_space_of_hydra_1_1_is_read_as_it_was_meant(
    written: Mapping[str, Any], expected: BaseDistribution
) -> None:
    assert distribution(written_as_params({"key": written})["key"]) == expected


@given(st.integers(-50, 50), st.integers(0, 50), st.integers(1, 9), st.sampled_from([1, 0.1, 0.25]))
def test_every_step_of_an_old_range_is_kept(low: int, span: int, step: int, unit: float) -> None:
    kind = "int" if unit == 1 else "float"
    numbers = {"low": low * unit, "high": (low + span) * unit, "step": step * unit}
    one = {"type": kind} | {key: round(number, 6) for key, number in numbers.items()}
    made = distribution(written_as_params({"key": one})["key"])
    assert isinstance(made, IntDistribution | FloatDistribution)
    assert made.low == pytest.approx(low * unit)
    assert made.high == pytest.approx((low + span // step * step) * unit)


def test_every_fault_of_an_old_search_space_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        written_as_params(
            {
                "a": 3,
                "b": {"type": "uniform"},
                "c": {"type": "int", "low": 1},
                "d": {"type": "float", "low": 0, "high": 1, "hihg": 2},
                "e": {"type": "categorical", "choices": []},
                "f": {"type": "float", "low": 0, "high": 1, "step": 0},
            }
        )
    printed = caught.value.faults
    assert len(printed) == 6
    assert all(
        fault.startswith(f"hydra.sweeper.search_space.{key}")
        for fault, key in zip(printed, "abcdef", strict=True)
    )
    assert "did you mean 'high'?" in printed[3]


@pytest.mark.parametrize(
    ("node", "url"),
    [
        (None, None),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ({"_target_": "optuna.storages.RDBStorage", "url": "sqlite:///a.db"}, "sqlite:///a.db"),
        ({"_target_": "optuna.storages.InMemoryStorage"}, None),
        (
            {
                "_target_": "optuna.storages.JournalStorage",
                "log_storage": {"_target_": "optuna.storages.JournalFileStorage", "file_path": "j"},
            },
            "journal:///j",
        ),
    ],
)
def test_a_storage_may_be_written_as_optunas_class(node: object, url: str | None) -> None:
    assert SweepSettings.read({"storage": node}).storage == url


def test_a_storage_that_has_no_address_is_refused_with_what_to_write() -> None:
    rdb = {"_target_": "optuna.storages.RDBStorage", "url": "sqlite:///a.db"}
    for node, expected in (
        (rdb | {"engine_kwargs": {"a": 1}}, "without engine_kwargs; delete it"),
        ({"_target_": "my.Storage"}, "must be an address"),
        ({"_target_": "optuna.storages.JournalStorage"}, "journal:///<file>"),
    ):
        with pytest.raises(ConfigError, match=expected):
            storage_url("hydra.sweeper.storage", node)
    read = SweepSettings.read({"storage": rdb | {"heartbeat_interval": 7}})
    assert read.heartbeat_interval == 7


def test_samplers_are_made_of_what_the_peers_configurations_list() -> None:
    """Keywords that Optuna warns of by now, with the values that it has anyway, say nothing."""
    tpe = {
        "_target_": "optuna.samplers.TPESampler",
        "seed": 123,
        "consider_prior": True,
        "prior_weight": 1.0,
        "consider_magic_clip": True,
        "consider_endpoints": False,
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "multivariate": False,
        "warn_independent_sampling": True,
    }
    nsga = {
        "_target_": "optuna.samplers.NSGAIISampler",
        "seed": 123,
        "population_size": 50,
        "mutation_prob": None,
        "crossover_prob": 0.9,
        "swapping_prob": 0.5,
        "constraints_func": None,
    }
    assert isinstance(build_sampler(tpe, dict), TPESampler)
    assert isinstance(build_sampler(nsga, dict), NSGAIISampler)
    grid = {"_target_": "optuna.samplers.GridSampler", "_partial_": True}
    build_sampler(grid, lambda: {"x": [1, 2]})


def test_a_sampler_that_optuna_has_no_more_says_what_to_choose() -> None:
    with pytest.raises(ConfigError, match="choose hydra/sweeper/sampler=tpe, which takes several"):
        build_sampler({"_target_": "optuna.samplers.MOTPESampler"}, dict)


def test_the_peers_class_and_its_samplers_are_found(tmp_path: Any) -> None:
    (tmp_path / "config.yaml").write_text("defaults: [override hydra/sweeper: async_optuna]\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        for name in (*SAMPLERS, "motpe"):
            config = compose(
                "config", overrides=[f"hydra/sweeper/sampler={name}"], return_hydra_config=True
            )
            assert config.hydra.sweeper.sampler._target_.startswith("optuna.samplers.")
        with pytest.raises(ConfigCompositionException):
            compose("config", overrides=["hydra/sweeper/sampler=none"])
    target = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    node = OmegaConf.create({"_target_": target, "_recursive_": False, "sampler": {}})
    made = type(Plugins.instance()._instantiate(node))
    assert AsyncOptunaSweeper.__name__ in [kind.__name__ for kind in made.__mro__]


@pytest.mark.parametrize(
    ("script", "guarded"),
    [
        ("main()", False),
        ("if __name__ == '__main__':\n    main()", True),
        ("if '__main__' == __name__:\n    import sys\n    sys.exit(main())", True),
        ("if True:\n    main()", False),
        ("if __name__ == '__main__':\n    pass\nmain()", False),
        ("main() if __name__ == '__main__' else None", True),
        ("try:\n    if __name__ == '__main__':\n        main()\nfinally:\n    pass", True),
    ],
)
def test_a_call_without_a_guard_is_seen(script: str, guarded: bool) -> None:
    (line,) = [n for n, text in enumerate(script.splitlines(), 1) if "main()" in text]
    assert any(_guards(node, line) for node in ast.walk(ast.parse(script))) is guarded
