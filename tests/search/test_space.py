from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space import parse_space, spell


def space(params: dict[str, Any] | None = None, *arguments: str) -> Any:
    return parse_space(OverridesParser.create(), params or {}, arguments)


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("choice(1,2.5,abc,true)", CategoricalDistribution([1, 2.5, "abc", True])),
        ("choice('a b',c)", CategoricalDistribution(["a b", "c"])),
        ("choice([1,2],[3])", CategoricalDistribution(["[1,2]", "[3]"])),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("interval(1,8)", FloatDistribution(1.0, 8.0)),
        ("int(interval(1,8))", IntDistribution(1, 8)),
        ("tag(int,interval(1,8))", IntDistribution(1, 8)),
        ("tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
    ],
)
def test_sweep_syntax_is_read_as_documented(text: str, distribution: Any) -> None:
    assert space({"a.b": text}).searched == {"a.b": distribution}
    assert space(None, f"a.b={text}").searched == {"a.b": distribution}


def test_a_comma_list_is_a_choice_and_may_hold_null() -> None:
    assert space(None, "a=1,null").searched == {"a": CategoricalDistribution([1, None])}


def test_the_command_line_wins_over_the_recipe() -> None:
    made = space({"a": "range(1,4)", "b": 3, "c": "x"}, "a=7", "b=choice(1,2)", "+d=e", "~f")
    assert made.searched == {"b": CategoricalDistribution([1, 2])}
    assert made.fixed == ("a=7", "c=x", "+d=e", "~f")
    assert made.overrides({"b": 2}) == ("a=7", "c=x", "+d=e", "~f", "b=2")


def test_added_keys_can_be_searched() -> None:
    made = space(None, "+optimizer.beta_1=interval(0.8,0.9)")
    assert list(made.searched) == ["+optimizer.beta_1"]


def test_all_unreadable_entries_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        space({"a": "range(4,1)", "b": "choice(1", "c": "tag(lgo,interval(1,2))"})
    assert len(caught.value.faults) == 3
    assert "unknown tag 'lgo'" in str(caught.value)


def test_corners_hold_every_choice_and_both_ends() -> None:
    made = space({"a": "choice(x,y,z)", "b": "interval(0.5,2)", "c": "range(1,4)"})
    corners = list(made.corners())
    assert [corner["a"] for corner in corners] == ["x", "y", "z"]
    assert {corner["b"] for corner in corners} == {0.5, 2.0}
    assert {corner["c"] for corner in corners} == {1, 3}
    assert list(space().corners()) == [{}]


def test_suggested_values_lie_in_the_space_and_keep_their_types() -> None:
    made = space({"a": "choice(1,two,true)", "b": "interval(1,2)", "c": "int(interval(1,3))"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [made.suggest(study.ask()) for _ in range(40)]
    assert {type(values["a"]) for values in drawn} == {int, str, bool}
    assert all(isinstance(values["b"], float) and 1 <= values["b"] <= 2 for values in drawn)
    assert {values["c"] for values in drawn} == {1, 2, 3}


values = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20).filter(
        lambda text: not text.startswith(("[", "{"))
    ),
)


@given(values)
def test_a_value_survives_the_override_grammar(value: Value) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={spell(value)}"])
    back = override.value()
    assert back == value
    assert type(back) is type(value)
