import math
import re
from collections.abc import Iterable
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweeper.records import Value
from sweeper.search.space.distributions import cast, enumerate_values, same
from sweeper.search.space.syntax import distribution_of, read_override, spell, spell_yaml, value_of

PARSER = OverridesParser.create()


def read(text: str) -> BaseDistribution | None:
    return distribution_of(read_override(PARSER, f"key={text}"))


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("choice(1,2.5,abc,false)", CategoricalDistribution([1, 2.5, "abc", False])),
        ("choice('a b',c)", CategoricalDistribution(["a b", "c"])),
        ("choice([1,2],[3])", CategoricalDistribution(["[1,2]", "[3]"])),
        ("choice({a:1},{a:b})", CategoricalDistribution(["{a:1}", "{a:b}"])),
        ("1,null", CategoricalDistribution([1, None])),
        ("shuffle(choice(b,a))", CategoricalDistribution(["b", "a"])),
        ("sort(b,a)", CategoricalDistribution(["a", "b"])),
        ("str(choice(1,2))", CategoricalDistribution(["1", "2"])),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(4)", IntDistribution(0, 3)),
        ("range(4,1,-1)", IntDistribution(2, 4)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("sort(range(0,9,3),reverse=true)", IntDistribution(0, 6, step=3)),
        ("shuffle(range(1,4))", IntDistribution(1, 3)),
        ("float(range(1,4))", FloatDistribution(1, 3, step=1)),
        ("range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("range(0,0.9,0.3)", FloatDistribution(0, 0.6, step=0.3)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("interval(1,8)", FloatDistribution(1.0, 8.0)),
        ("int(interval(1,8))", IntDistribution(1, 8)),
        ("tag(int,interval(1,8))", IntDistribution(1, 8)),
        ("tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("3", None),
        ("[1,2]", None),
    ],
)
def test_sweep_syntax_is_read_as_documented(text: str, distribution: Any) -> None:
    assert read(text) == distribution


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("choice(1", "no viable alternative"),
        ("choice(1,a,1)", "cannot tell the choices 1 and 1 apart"),
        ("choice(1,true)", "cannot tell the choices 1 and true apart"),
        ("range(4,1)", "holds no value"),
        ("range(1,4,0)", "step must not be 0"),
        ("range(0,inf)", "ends must be finite"),
        ("interval(0,inf)", "ends must be finite"),
        ("interval(2,1)", "low <= high"),
        ("tag(log,interval(0,1))", "low > 0"),
        ("tag(lgo,interval(1,2))", "unknown tag 'lgo'; known here: int, log"),
        ("tag(log,choice(1,2))", "unknown tag 'log'; known here: none"),
        ("tag(log,range(1,9,2))", "takes no step"),
        ("glob(*)", "ConfigLoader is not set"),
        ("int(interval(a,b))", "mismatch type"),
    ],
)
def test_what_cannot_be_searched_is_reported(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        read(text)
    assert "hydra.cc" not in str(caught.value)


steps = st.decimals("0.001", "10", places=3).filter(bool)


@given(st.decimals("-10", "10", places=3), st.integers(1, 40), steps, st.booleans())
def test_a_range_leaves_out_its_end_and_nothing_else(
    start: Any, count: int, step: Any, on_the_end: bool
) -> None:
    stop = start + step * count - (0 if on_the_end else step / 2)
    distribution = read(f"range({float(start)!r},{float(stop)!r},{float(step)!r})")
    assert distribution is not None
    values = list(enumerate_values(distribution) or ())
    assert len(values) == count
    assert values == [float(start + step * index) for index in range(count)]


@given(st.integers(-50, 50), st.integers(1, 30), st.integers(1, 7))
def test_a_whole_range_holds_what_pythons_holds(start: int, length: int, step: int) -> None:
    distribution = read(f"range({start},{start + length},{step})")
    assert isinstance(distribution, IntDistribution)
    assert list(enumerate_values(distribution) or ()) == list(range(start, start + length, step))


def test_every_sampler_sees_the_same_ends() -> None:
    distribution = read("range(1,4)")
    assert isinstance(distribution, IntDistribution)
    grid = list(enumerate_values(distribution) or ())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {study.ask({"a": distribution}).params["a"] for _ in range(40)}
    assert drawn == set(grid) == {1, 2, 3}


odd = st.sampled_from(
    [
        *("", "1", "1.5", "true", "null", "nan", "a=b", "${x}", "${x", "it's", '"', "\\", 'a\\"'),
        *(" a ", "a\tb", "a\nb", "é", "日本", "choice(a)", "~a", "+a", "[a", "}", "a:b", "a,b"),
    ]
)
values = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    odd,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("[]{}()ab1,:=\\\"' ${}", max_size=8),
).filter(lambda value: not isinstance(value, str) or value[:1] + value[-1:] not in ("[]", "{}"))
keys = st.sampled_from(["key", "a.b.c", "+a.b", "++a.b", "group@a.b", "+group/sub", "hydra.job.x"])


@given(keys, values)
def test_a_value_survives_the_override_grammar(key: str, value: Value) -> None:
    override = read_override(PARSER, f"{key}={spell(value)}")
    back = override.value()
    assert override.get_key_element() == key
    assert back == value
    assert type(back) is type(value)
    assert value_of(override) == value


@given(st.lists(values, min_size=2, max_size=4).filter(lambda given: len(set(given)) == len(given)))
def test_choices_survive_too(choices: list[Value]) -> None:
    distribution = read(",".join(map(spell, choices)))
    assert isinstance(distribution, CategoricalDistribution)
    assert [(type(v), v) for v in distribution.choices] == [(type(v), v) for v in choices]


nested = st.recursive(
    values.filter(lambda value: not isinstance(value, float) or math.isfinite(value)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(nested, max_size=4))
def test_a_list_of_yaml_is_the_list_that_hydra_reads(written: list[Any]) -> None:
    assert read_override(PARSER, f"key={spell_yaml(written)}").value() == written


def test_sameness_knows_types_but_not_how_a_number_is_written() -> None:
    assert same(0.1 + 2 * 0.1, 0.3)
    assert same(1, 1.0)
    for one, other in [(1, True), (0, False), (1, "1"), (None, False), ("a", "A"), (1, 2)]:
        assert not same(one, other)


@pytest.mark.parametrize(
    ("distribution", "written", "value"),
    [
        (IntDistribution(1, 8), 4.0, 4),
        (FloatDistribution(0, 1), 1, 1.0),
        (FloatDistribution(0.1, 0.4, step=0.1), 0.3, 0.3),
        (CategoricalDistribution([1, "a", None]), 1.0, 1),
        (CategoricalDistribution(["[1,2]", "[3]"]), [1, 2], "[1,2]"),
    ],
)
def test_a_written_value_gets_the_type_of_its_distribution(
    distribution: BaseDistribution, written: object, value: Value
) -> None:
    back = cast(distribution, written)
    assert back == value
    assert type(back) is type(value)


def misfits() -> Iterable[tuple[BaseDistribution, object]]:
    for written in (0, 9, 2.5, True, "4", None, math.nan, math.inf, [4]):
        yield IntDistribution(1, 8), written
    yield IntDistribution(0, 9, step=3), 4
    yield FloatDistribution(0.1, 0.4, step=0.1), 0.25
    for choice in ("1", True, None, "ab"):
        yield CategoricalDistribution([1, "a"]), choice


@pytest.mark.parametrize(("distribution", "written"), list(misfits()))
def test_a_value_outside_is_refused(distribution: BaseDistribution, written: object) -> None:
    with pytest.raises(ValueError, match=r"must be (one of|a number|a whole number)"):
        cast(distribution, written)
