"""Names of entries follow from what they are of, and from nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.cache.key import NAME, Key

PARTS = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
)  # fmt: skip


@given(PARTS)
def test_order_does_not_count_and_json_gives_the_same_key_back(parts: dict[str, Any]) -> None:
    key = Key("images", parts)
    assert NAME.fullmatch(key.name)
    assert Key("images", dict(reversed(parts.items()))).name == key.name
    assert Key("images", json.loads(json.dumps(key.parts))).name == key.name


@given(PARTS, PARTS)
def test_other_parts_are_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (Key("images", one).name == Key("images", other).name) == same


def test_the_type_of_a_part_and_the_kind_count() -> None:
    names = {Key("images", {"a": value}).name for value in (1, 1.0, True, "1", [1], None)}
    assert len(names) == 6
    assert Key("images", {}).name.startswith("images-")
    assert Key("images", {}).name != Key("features", {}).name


def test_a_key_does_not_change_with_what_it_was_made_from() -> None:
    parts: dict[str, Any] = {"sizes": [96]}
    key = Key("images", parts)
    parts["sizes"].append(64)
    assert key.name == Key("images", {"sizes": [96]}).name


@pytest.mark.parametrize(
    ("kind", "parts", "error"),
    [
        ("../up", {}, ValueError),
        ("Images", {}, ValueError),
        ("images", {"rate": float("nan")}, ValueError),
        ("images", {"data": b"bytes"}, TypeError),
        ("images", {1: "one"}, TypeError),
        ("images", {"deep": [{1: "one"}]}, TypeError),
    ],
)
def test_what_no_key_can_be_made_of(kind: str, parts: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Key(kind, parts)
