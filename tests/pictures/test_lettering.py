"""Names on pictures: readable, short, and in letters that there are."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.pictures.lettering import (
    drawable,
    families,
    readable,
    runs,
    shorten,
    undrawable,
    worded,
    wrap,
)

TEXT = st.text(st.characters(), max_size=80)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["n02085620-Chihuahua", "n02087046-toy_terrier"], ["Chihuahua", "toy terrier"]),
        (["n01440764_tench", "n01440764 tench"], ["n01440764_tench", "n01440764 tench"]),
        (
            ["Corn_(maize)___Common_rust_", "Pepper,_bell___healthy"],
            ["Corn (maize) Common rust", "Pepper, bell healthy"],
        ),
        # what would be one name afterwards stays two
        (["n02012849-crane", "n03126707-crane"], ["n02012849-crane", "n03126707-crane"]),
        (["a_b", "a b", "c_d"], ["a_b", "a b", "c d"]),
        (["n02085620", "n02085621-", "n12-x"], ["n02085620", "n02085621-", "n12-x"]),
        (["0", "_"], ["0", "_"]),
        (["größe", "собака"], ["größe", "собака"]),
        (["gro\u0308ße"], ["größe"]),
        (["a\ud800b", "\U0010fffd", ""], ["a□b (class 0)", "class 1", ""]),
    ],
)  # fmt: skip
def test_names_are_words(names: list[str], shown: list[str]) -> None:
    assert readable(names) == shown


@given(names=st.lists(TEXT, max_size=6, unique_by=lambda name: " ".join(name.split())))
def test_names_stay_apart_and_can_be_drawn(names: list[str]) -> None:
    shown = readable(names)
    assert len(shown) == len(names)
    for name in shown:
        assert drawable(name) == name
        assert name == " ".join(name.split())
        assert "".join(piece for _, piece in runs(name)) == name
        assert families(name)[0] == "DejaVu Sans"


@given(name=st.text(max_size=80), limit=st.integers(3, 40))
def test_shortened_names_keep_both_ends(name: str, limit: int) -> None:
    short = shorten(name, limit)
    line = " ".join(unicodedata.normalize("NFC", name).split())
    if len(line) <= limit:
        assert short == line
        return
    assert len(short) <= limit
    # a name may hold the mark itself
    ends = [(short[: at.start()], short[at.end() :]) for at in re.finditer("…", short)]
    assert any(
        line.startswith(head.rstrip()) and line.endswith(tail.lstrip()) for head, tail in ends
    )


@pytest.mark.parametrize(
    ("name", "limit", "short"),
    [
        ("american staffordshire terrier", 30, "american staffordshire terrier"),
        ("american staffordshire terrier", 20, "american … terrier"),
        ("Corn (maize) Cercospora leaf spot Gray leaf spot", 30, "Corn (maize) Cercospora … spot"),
        ("Donaudampfschifffahrtsgesellschaft", 11, "Donau…chaft"),
    ],
)
def test_names_lose_whole_words(name: str, limit: int, short: str) -> None:
    assert shorten(name, limit) == short


def test_long_names_take_three_lines_at_most_and_break_at_words() -> None:
    lines = wrap("a rather long name of a breed of dogs that nobody has heard of", 24).split("\n")
    assert len(lines) <= 3
    assert max(map(len, lines)) <= 24
    assert wrap("american staffordshire terrier", 22) == "american staffordshire\nterrier"
    assert max(map(len, wrap("猫" * 30, 22).split("\n"))) == 11  # as wide as 22 others


def test_names_that_no_font_has_are_told_from_the_others() -> None:
    nobodys = "dog \U0010fffd"  # no letter, so that no font draws it
    assert undrawable(["cat", "größe", nobodys, "gro\u0308ße"]) == [nobodys]
    assert readable(["cat", nobodys]) == ["cat", "dog □ (class 1)"]
    assert worded(["toy_cat", nobodys]) == ["toy cat", nobodys]
