import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.cases import Case, Fixed
from sweeper.search.space.search_space import SearchSpace, parse_space

Make = Callable[..., SearchSpace]


def nothing(_overrides: tuple[str, ...]) -> DictConfig:
    raise AssertionError("composed for nothing")


def space(params: dict[str, Any] | None = None, *arguments: str, compose: Any = nothing) -> Any:
    return parse_space(OverridesParser.create(), params or {}, arguments, compose)


def faults(params: dict[str, Any], *arguments: str, compose: Any = nothing) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        space(params, *arguments, compose=compose)
    return caught.value.faults


def always(values: Any) -> tuple[Case, ...]:
    return (Case({}, values),)


SGD = {"when": {"optimizer": "sgd"}, "value": "interval(0.5, 0.9)"}
CONDITIONAL = {
    "optimizer.momentum": SGD,
    "optimizer": "choice(sgd, adam)",
    "depth": [
        {"when": {"optimizer": "sgd", "optimizer.nesterov": True}, "value": "range(1, 4)"},
        {"when": {"optimizer": ["adam", "sgd"]}, "value": "range(1, 3)"},
    ],
    "optimizer.nesterov": {"when": {"optimizer": "sgd"}, "value": "choice(true, false)"},
    "seed": {"when": {"depth": 2}, "value": 7},
}


def test_added_keys_can_be_searched() -> None:
    made = space(None, "+optimizer.beta_1=interval(0.8,0.9)")
    assert made.searched == {"+optimizer.beta_1": always(FloatDistribution(0.8, 0.9))}


def test_the_command_line_wins_over_the_recipe() -> None:
    made = space({"a": "range(1,4)", "b": 3, "c": "x"}, "a=7", "b=choice(1,2)", "+d=e", "~f")
    assert made.searched == {"b": always(CategoricalDistribution([1, 2]))}
    assert made.fixed == ("c=x", "a=7", "+d=e", "~f")
    assert made.overrides({"b": 2}) == ("c=x", "a=7", "+d=e", "~f", "b=2")
    assert made.overrides({"other": "a b"})[-1] == 'other="a b"'


@pytest.mark.parametrize("line", ["a.b=1", "+a.b=1", "++a.b=1", "~a.b"])
def test_the_command_line_replaces_a_whole_parameter(line: str) -> None:
    cases = [{"when": {"x": 1}, "value": 2}, {"value": "range(1,4)"}]
    made = space({"a.b": cases, "x": "choice(1,2)"}, line)
    assert list(made.searched) == ["x"]
    assert made.fixed == (line,)
    assert space({"+a.b": cases, "x": "choice(1,2)"}, line).fixed == (line,)


def test_yaml_may_hold_values_lists_and_what_is_left_out() -> None:
    made = space({"a": None, "b": True, "c": [1, "two", None], "d": 1e-5, "e": {"value": "1,2"}})
    assert made.fixed == ("b=True", 'c=[1,"two",null]', "d=1e-05")
    assert made.searched == {"e": always(CategoricalDistribution([1, 2]))}


def test_all_unreadable_entries_are_named_at_once() -> None:
    found = faults(
        {
            "a": "range(4,1)",
            "b": "choice(1",
            "c": {"value": "tag(lgo,interval(1,2))"},
            "d": [{"when": {"e": 1}}, {"valeu": 1, "when": {"e": [1, 2]}, "value": 3}],
            "e": [{"value": 1}, {"when": 3, "value": 1}, {"when": {"a": []}, "value": 1}],
        },
        "f=range(1)x",
    )
    named = [fault.split(":")[0].split(" ")[0] for fault in found]
    assert named == ["cannot", "cannot", "c", "d[0]", "d[1]", "e[0]", "e[1]", "e[2]", "cannot"]
    assert "unknown tag 'lgo'" in found[2]
    assert "did you mean 'value'" in found[4]


def test_corners_hold_every_choice_and_both_ends() -> None:
    made = space({"a": "choice(x,y,z)", "b": "interval(0.5,2)", "c": "range(1,4)", "d": "2,1"})
    assert list(made.corners()) == [
        {"a": "x", "b": 0.5, "c": 1, "d": 2},
        {"a": "y", "b": 2.0, "c": 3, "d": 1},
        {"a": "z", "b": 2.0, "c": 3, "d": 1},
    ]
    assert list(space().corners()) == [{}]
    assert not made.conditional


def test_suggested_values_lie_in_the_space_and_keep_their_types() -> None:
    made = space({"a": "choice(1,two,false)", "b": "interval(1,2)", "c": "int(interval(1,3))"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [made.suggest(study.ask()) for _ in range(40)]
    assert {type(values["a"]) for values in drawn} == {int, str, bool}
    assert all(isinstance(values["b"], float) and 1 <= values["b"] <= 2 for values in drawn)
    assert {values["c"] for values in drawn} == {1, 2, 3}


def exhaust(made: SearchSpace) -> list[dict[str, Value]]:
    """Every combination that Optuna's brute force finds in ``made``."""
    drawn = []

    def objective(trial: optuna.Trial) -> float:
        drawn.append(made.suggest(trial))
        return 0.0

    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.BruteForceSampler(seed=0, avoid_premature_stop=True)
    optuna.create_study(sampler=sampler).optimize(objective, n_trials=500)
    assert len(drawn) < 500
    return drawn


def frozen(rows: Any) -> set[frozenset[tuple[str, Value]]]:
    return {frozenset(row.items()) for row in rows}


def test_brute_force_finds_exactly_the_valid_combinations() -> None:
    made = space(CONDITIONAL | {"optimizer.momentum": SGD | {"value": "range(0.5, 0.7, 0.1)"}})
    assert made.conditional
    expected = [{"optimizer": "adam", "depth": 1}, {"optimizer": "adam", "depth": 2, "seed": 7}]
    for momentum, nesterov in itertools.product((0.5, 0.6), (True, False)):
        for depth in (1, 2, 3) if nesterov else (1, 2):
            row = {"optimizer": "sgd", "optimizer.momentum": momentum, "depth": depth}
            seed = {"seed": 7} if depth == 2 else {}
            expected.append(row | {"optimizer.nesterov": nesterov} | seed)
    drawn = exhaust(made)
    assert frozen(drawn) == frozen(expected)
    assert len(drawn) == len(expected)


def test_corners_reach_cases_behind_values_already_tried() -> None:
    # sgd is the first choice: momentum's second end needs it again when adam was the last
    rows = list(space(CONDITIONAL).corners())
    assert {row.get("optimizer.momentum") for row in rows} == {None, 0.5, 0.9}
    assert {row["depth"] for row in rows if row.get("optimizer.nesterov")} >= {1, 3}
    assert any(row.get("seed") == 7 for row in rows)
    assert all(("optimizer.momentum" in row) == (row["optimizer"] == "sgd") for row in rows)


def test_a_case_that_waits_for_many_parameters_is_reached_at_once() -> None:
    names = [f"p{index}" for index in range(20)]
    params: dict[str, Any] = dict.fromkeys(names, "choice(a, b, c, d)")
    params["deep"] = {"when": dict.fromkeys(names, "d"), "value": "range(3)"}
    params["never"] = {"when": dict.fromkeys(names, "d") | {"deep": 1, "p0": "c"}, "value": 1}
    rows = list(space(params).corners())
    assert {row.get("deep") for row in rows} >= {None, 0, 1, 2}
    assert len(rows) < 10
    assert not any("never" in row for row in rows)


def test_a_value_inside_a_range_can_be_a_condition() -> None:
    made = space(
        {
            "n": "range(1, 9)",
            "at": {"when": {"n": [4, 5]}, "value": "choice(x, y)"},
            "both": [{"when": {"two": [0, 2]}, "value": 1}, {"value": 2}],
            "two": "range(0, 3)",
            "f": {"when": {"step": 0.3}, "value": 1},
            "step": "range(0.1, 0.5, 0.1)",
        }
    )
    rows = list(made.corners())
    assert {row.get("at") for row in rows} == {None, "x", "y"}
    assert {row["both"] for row in rows} == {1, 2}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [made.suggest(study.ask()) for _ in range(40)]
    assert any("f" in row for row in drawn)
    assert all(("f" in row) == (round(float(row["step"]), 6) == 0.3) for row in drawn)


@st.composite
def conditional_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Params of which each may depend on those before it, written down in any order."""
    choices = draw(st.lists(st.integers(2, 4), min_size=1, max_size=5))
    params: dict[str, Any] = {}
    for index, count in enumerate(choices):
        cases = []
        for _ in range(draw(st.integers(0, 3))):
            parents = draw(st.lists(st.integers(0, index - 1), max_size=2)) if index else []
            when = {
                f"p{parent}": draw(
                    st.lists(st.integers(0, choices[parent] - 1), min_size=1, max_size=2)
                )
                for parent in parents
            }
            if when:
                cases.append({"when": when, "value": f"range({count})"})
        if not cases or draw(st.booleans()):
            cases.append({"value": f"range({count})"})
        params[f"p{index}"] = cases
    return dict(draw(st.permutations(list(params.items()))))


def holding(cases: list[dict[str, Any]], row: dict[str, Value]) -> int | None:
    for number, case in enumerate(cases):
        if all(row.get(name) in wanted for name, wanted in case.get("when", {}).items()):
            return number
    return None


def every_row(params: dict[str, Any]) -> Iterator[dict[str, Value]]:
    def extend(row: dict[str, Value], left: list[str]) -> Iterator[dict[str, Value]]:
        if not left:
            yield row
            return
        number = holding(params[left[0]], row)
        if number is None:
            yield from extend(row, left[1:])
            return
        _, _, count = params[left[0]][number]["value"].partition("(")
        for value in range(int(count.rstrip(")"))):
            yield from extend(row | {left[0]: value}, left[1:])

    yield from extend({}, sorted(params))


def met(params: dict[str, Any], rows: Any) -> set[tuple[str, int | None, Value]]:
    """Which values of which case are in ``rows``: of each case its lowest and its highest."""
    return {(key, holding(params[key], row), row[key]) for row in rows for key in row}


@settings(max_examples=60, deadline=None)
@given(conditional_spaces())
def test_corners_obey_conditions_and_miss_no_case_that_can_be(params: dict[str, Any]) -> None:
    possible = list(every_row(params))
    made = space(params)
    rows = list(made.corners())
    assert frozen(rows) <= frozen(possible)
    highest = {key: made.searched[key][0].values.high for key in made.searched}
    ends = {one for one in met(params, possible) if one[2] in (0, highest[one[0]])}
    assert ends <= met(params, rows)


@settings(max_examples=15, deadline=None)
@given(conditional_spaces())
def test_suggestions_are_exactly_the_combinations_that_can_be(params: dict[str, Any]) -> None:
    possible = list(every_row(params))
    if len(possible) > 60:
        return
    assert frozen(exhaust(space(params))) == frozen(possible)


def test_what_a_condition_cannot_mean_is_refused() -> None:
    found = faults(
        {
            "optimizer": "choice(adam, sgd)",
            "lr": "interval(0, 1)",
            "n": "range(1, 4)",
            "a": {"when": {"optimizer": "sdg"}, "value": 1},
            "b": {"when": {"lr": 0.5}, "value": 1},
            "c": {"when": {"n": 4}, "value": 1},
            "d": {"when": {"optimzer": "sgd"}, "value": 1},
            "e": {"when": {"n": ["1"]}, "value": 1},
        },
        compose=lambda _: OmegaConf.create({"hydra": {"runtime": {"choices": {}}}}),
    )
    assert [fault[0] for fault in found] == list("abcde")
    assert "optimizer is never exactly sdg; it is one of adam, sgd" in found[0]
    assert "a number from 0.0 to 1.0" in found[1]
    assert "did you mean 'optimizer'" in found[3]


def test_a_circle_of_conditions_is_named() -> None:
    circle = {
        "a": {"when": {"c": 1}, "value": "1,2"},
        "b": {"when": {"a": 1}, "value": "1,2"},
        "c": {"when": {"b": 1}, "value": "1,2"},
    }
    (fault,) = faults(circle)
    assert all(key in fault.split(": ")[1].split(" -> ") for key in "abc")
    (fault,) = faults({"a": {"when": {"a": 1}, "value": "1,2"}})
    assert "a -> a" in fault


@pytest.mark.parametrize(
    "values",
    [
        ("choice(a,b)", "choice(b,c)"),
        ("choice(1,2)", "range(1,3)"),
        ("range(1,3)", "interval(1,3)"),
        ("interval(1,3)", "tag(log,interval(1,3))"),
    ],
)
def test_cases_that_optuna_cannot_keep_under_one_name_are_refused(values: tuple[str, str]) -> None:
    cases = [{"when": {"p": 1}, "value": values[0]}, {"value": values[1]}]
    (fault,) = faults({"p": "1,2", "q": cases})
    assert fault.startswith("q is ")
    # what cannot be does no harm
    assert space({"p": "1,2", "q": cases}, "p=2", compose=toy_config("p", 2)).searched


def toy_config(key: str, value: Value) -> Callable[[tuple[str, ...]], DictConfig]:
    return lambda _: OmegaConf.create({key: value, "hydra": {"runtime": {"choices": {}}}})


def test_a_fixed_parent_settles_the_conditions_on_it() -> None:
    made = space(CONDITIONAL, "optimizer=sgd", compose=toy_config("optimizer", "sgd"))
    assert made.searched["optimizer.momentum"] == always(FloatDistribution(0.5, 0.9))
    made = space(CONDITIONAL, "optimizer=adam", compose=toy_config("optimizer", "adam"))
    assert made.searched == {
        "depth": always(IntDistribution(1, 2)),
        "seed": (Case({"depth": (2,)}, Fixed(7)),),
    }
    made = space(CONDITIONAL, "~optimizer")
    assert not made.searched
    assert list(made.corners()) == [{}]


def test_added_parents_are_known_by_their_bare_name() -> None:
    made = space({"+a": "1,2", "++b": {"when": {"a": 1}, "value": "3,4"}})
    assert frozen(made.corners()) == frozen([{"+a": 1, "++b": 3}, {"+a": 1, "++b": 4}, {"+a": 2}])


def test_a_grid_has_the_values_of_every_sampler() -> None:
    made = space({"a": "choice(x,y)", "b": "range(1,4)", "c": "range(0.1,0.4,0.1)", "d": 3})
    assert made.grid() == {"a": ["x", "y"], "b": [1, 2, 3], "c": [0.1, 0.2, 0.3]}
    sampler = optuna.samplers.GridSampler(made.grid(), seed=0)
    study = optuna.create_study(sampler=sampler)
    drawn: list[dict[str, Value]] = []
    study.optimize(lambda trial: float(bool(drawn.append(made.suggest(trial)))))
    assert len(frozen(drawn)) == len(drawn) == 18


def test_a_grid_refuses_what_it_cannot_enumerate() -> None:
    with pytest.raises(ConfigError) as caught:
        space(CONDITIONAL | {"lr": "interval(0,1)"}).grid()
    found = caught.value.faults
    assert {fault.split(" ")[0] for fault in found} == {
        *("optimizer.momentum", "depth", "optimizer.nesterov", "lr")
    }
    assert any("give a step" in fault for fault in found)
    assert any("sampler=bruteforce" in fault for fault in found)


def test_a_starting_point_gets_the_types_of_the_space() -> None:
    made = space(CONDITIONAL | {"lr": "interval(0,1)", "+n": "range(0, 9, 2)", "s": "[1,2],[3]"})
    point = {"optimizer": "adam", "depth": 3, "lr": 1, "n": 4.0, "s": [1, 2], "seed": 7}
    values, wrong = made.check(point, "here")
    assert not wrong
    assert values == {"optimizer": "adam", "depth": 3, "lr": 1.0, "+n": 4, "s": "[1,2]", "seed": 7}
    assert [type(values[key]) for key in ("lr", "+n")] == [float, int]


def test_a_starting_point_is_refused_with_every_fault() -> None:
    made = space(CONDITIONAL | {"lr": "interval(0,1)", "n": "range(0, 9, 2)", "k": 1})
    point = {"optimizer": "adm", "depth": 9, "lr": 2, "n": 3, "momentum": 1, "k": 2, "seed": 8}
    values, wrong = made.check(point, "here")
    assert not values
    assert len(wrong) == 8  # depth lies in neither of its cases
    assert all(fault.startswith("here: ") for fault in wrong)
    assert any("did you mean 'optimizer.momentum'" in fault for fault in wrong)
    assert any("k is not searched, it is fixed: k=1" in fault for fault in wrong)
    assert any("n must be a whole number from 0 to 8 in steps of 2, got 3" in f for f in wrong)


def test_a_description_tells_spaces_apart() -> None:
    made = space(CONDITIONAL | {"+n": "range(1, 4)"})
    described = made.describe()
    assert described["n"] == str(IntDistribution(1, 3))
    assert described == space(CONDITIONAL | {"+n": "range(1, 4)"}).describe()
    for change in ({"when": {"optimizer": "adam"}}, {"value": "interval(0.5, 0.8)"}):
        other = space(CONDITIONAL | {"optimizer.momentum": SGD | change}).describe()
        assert other["optimizer.momentum"] != described["optimizer.momentum"]


def test_a_space_is_shown_to_a_person_in_words() -> None:
    shown = space(CONDITIONAL | {"+n": "range(1, 4)"}).in_words()
    assert shown["n"] == "1 to 3"
    assert shown["optimizer.momentum"].endswith(", when optimizer is sgd")
    assert "Distribution" not in str(shown)


def test_what_another_study_knows_is_accepted_by_name_and_kind() -> None:
    made = space(CONDITIONAL)
    assert made.accepts("optimizer", CategoricalDistribution(["sgd", "adam"]))
    assert made.accepts("depth", IntDistribution(0, 99))
    assert not made.accepts("depth", FloatDistribution(0, 99))
    assert not made.accepts("optimizer", CategoricalDistribution(["sgd"]))
    assert not made.accepts("other", IntDistribution(0, 99))
    assert not made.accepts("seed", IntDistribution(0, 99))


RECIPE = {
    "config.yaml": """
defaults: [{backbone: small}, {optimizer: adam}, _self_]
units: 8
double: ${twice.${backbone.kind}}
twice: {tiny: 2, huge: 6}
space: {rate: "tag(log, interval(0.1, 1))", names: "choice(a, b)"}
rate: 0.5
name: run ${units}
job: ${hydra.job.num}
per: {small: 3, large: 5}
""",
    "backbone/small.yaml": "{width: 4, kind: tiny}",
    "backbone/large.yaml": "{width: 16, kind: huge}",
    "optimizer/adam.yaml": "{beta: 0.9}",
    "optimizer/sgd.yaml": "{momentum: 0}",
}


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Make]:
    """:func:`parse_space` on a real Hydra configuration with two groups."""
    for name, text in RECIPE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def compose_all(overrides: tuple[str, ...]) -> DictConfig:
        try:
            return compose("config", overrides=list(overrides), return_hydra_config=True)
        except HydraException as error:
            raise ConfigError([str(error)]) from None

    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        yield lambda params, *arguments: parse_space(parser, params, arguments, compose_all)


def refused(composed: Make, params: dict[str, Any], *arguments: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        composed(params, *arguments)
    return caught.value.faults


def test_a_bound_may_be_read_from_the_composed_group(composed: Make) -> None:
    made = composed({"units": "int(interval(1, ${backbone.width}))", "backbone": "glob(*)"})
    assert made.conditional
    assert list(made.searched) == ["backbone", "units"]
    assert frozen(made.corners()) == frozen(
        {"backbone": backbone, "units": units}
        for backbone, width in (("small", 4), ("large", 16))
        for units in (1, width)
    )
    assert len(exhaust(made)) == 20
    assert made.accepts("units", IntDistribution(3, 5))
    with pytest.raises(ConfigError, match="units depends on others"):
        made.grid()


def test_a_bound_may_be_read_by_the_name_of_the_option(composed: Make) -> None:
    made = composed(
        {"units": "range(${per.${hydra.runtime.choices.backbone}})", "backbone": "small,large"}
    )
    assert frozen(made.corners()) == frozen(
        {"backbone": backbone, "units": units}
        for backbone, units in [("small", 0), ("small", 2), ("large", 0), ("large", 4)]
    )


def test_a_bound_may_be_what_the_recipe_has_under_the_key(composed: Make) -> None:
    assert {row["units"] for row in composed({"units": "range(1, ${units})"}).corners()} == {1, 7}


def test_composed_bounds_may_build_on_one_another(composed: Make) -> None:
    made = composed(
        {
            "rate": "range(-1, ${units})",
            "units": "range(${backbone.width}, ${double})",
            "backbone": "choice(small, large)",
            "backbone.width": {"when": {"backbone": "small"}, "value": "range(0, 2)"},
            "double": "choice(3, 20)",
        },
        "backbone=small",
    )
    assert list(made.searched) == ["backbone.width", "double", "units", "rate"]
    for row in made.corners():
        assert row["backbone.width"] <= row["units"] < row["double"]  # type: ignore[operator]
        assert -1 <= row["rate"] < row["units"]  # type: ignore[operator]


def test_conditions_may_name_what_the_recipe_composes_to(composed: Make) -> None:
    by_kind = [{"when": {"backbone.kind": "huge"}, "value": "range(5, 8)"}, {"value": "range(2)"}]
    made = composed({"backbone": "choice(small, large)", "units": by_kind})
    assert {(row["backbone"], row["units"]) for row in exhaust(made)} == {
        *(("small", units) for units in (0, 1)),
        *(("large", units) for units in (5, 6, 7)),
    }
    # nothing that is searched can change it
    made = composed({"units": by_kind})
    assert made.searched == {"units": always(IntDistribution(0, 1))}
    made = composed({"units": by_kind}, "backbone=large")
    assert made.searched == {"units": always(IntDistribution(5, 7))}
    made = composed({"units": {"when": {"backbone": "large"}, "value": "range(2)"}})
    assert not made.searched


def test_a_key_that_hangs_on_a_searched_one_is_read_for_each_trial(composed: Make) -> None:
    made = composed(
        {"rate": {"when": {"name": "run 9"}, "value": "range(0, 2)"}, "units": "choice(8, 9)"}
    )
    assert {(row["units"], row.get("rate")) for row in exhaust(made)} == {(8, None), (9, 0), (9, 1)}


def test_texts_of_sweeps_may_stand_in_the_recipe(composed: Make) -> None:
    made = composed({"rate": "${space.rate}", "name": "${space.names}"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    values = made.suggest(study.ask())
    assert study.trials[0].distributions["rate"] == FloatDistribution(0.1, 1, log=True)
    assert values["name"] in ("a", "b")


def test_references_that_hydra_resolves_itself_stay_fixed(composed: Make) -> None:
    lines = (
        "rate=${backbone.width}",
        "job=${hydra.job.num}",
        "+twice.a=${.tiny}",
        "name=a_${rate}",
    )
    made = composed({"units": "${backbone.width}"}, *lines)
    assert made.fixed == ("units=${backbone.width}", *lines)
    assert not made.conditional


def test_a_fixed_value_may_be_composed_too(composed: Make) -> None:
    when_large = {"when": {"backbone": "large"}, "value": "${backbone.width}"}
    made = composed({"backbone": "choice(small, large)", "units": when_large})
    assert frozen(made.corners()) == frozen(
        [{"backbone": "small"}, {"backbone": "large", "units": 16}]
    )


def test_typing_errors_in_references_show_before_any_trial(composed: Make) -> None:
    found = refused(
        composed,
        {
            "units": "int(interval(1, ${backbone.widht}))",
            "backbone": "choice(small, large)",
            "rate": {"when": {"backbone": "large"}, "value": "range(1, ${optimizer.momentum})"},
            "double": "interval(1, ${backbone.width}",
        },
        "name=${nme}",
    )
    assert {fault.split(":")[0] for fault in found} == {"units", "rate", "double", "name"}
    assert any("'backbone.widht' not found" in fault for fault in found)
    assert any("beside [backbone=large" in fault for fault in found)


def test_conditions_on_what_is_nowhere_are_refused(composed: Make) -> None:
    found = refused(
        composed,
        {
            "units": {"when": {"backbon": "small"}, "value": 1},
            "rate": {"when": {"backbone": "smal"}, "value": 1},
            "double": {"when": {"twice": 1}, "value": 1},
        },
    )
    assert "did you mean 'backbone'" in found[0]
    assert "no option smal; did you mean 'small'" in found[1]
    assert "twice.tiny, twice.huge" in found[2]


def test_a_starting_point_is_held_against_composed_bounds(composed: Make) -> None:
    made = composed({"units": "int(interval(1, ${backbone.width}))", "backbone": "small,large"})
    assert made.check({"backbone": "large", "units": 16}, "here")[1] == []
    (fault,) = made.check({"units": 16, "backbone": "small"}, "here")[1]
    assert "units must be a whole number from 1 to 4, got 16" in fault
    assert made.check({"units": 16}, "here") == ({"units": 16}, [])  # some backbone may allow it


def test_overrides_compose_to_what_was_suggested(composed: Make) -> None:
    made = composed(
        {"optimizer": "choice(adam, sgd)", "optimizer.momentum": SGD, "+note": "'a=b','null'"},
    )
    for row in made.corners():
        config = compose("config", overrides=list(made.overrides(row)))
        assert config.note == row["+note"]
        assert config.optimizer.get("momentum") == row.get("optimizer.momentum")
