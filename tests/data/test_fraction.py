"""``dataset.fraction``: a part of the data for a first try."""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted import prepared
from painted import recipe as of_records
from pictures import folder, names, picture
from recipes import recipe

from sweeper.data.examples import Examples
from sweeper.data.sources import loading
from sweeper.data.splits import given_validation, subset
from sweeper.errors import ConfigError


def examples(labels: list[int]) -> Examples:
    return Examples(
        labels=np.array(labels, np.int64),
        indices=np.arange(len(labels)),
        read=lambda _: pytest.fail("no image is read"),
        decode=lambda image: image,
        size=None,
    )


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.floats(0.001, 0.999).map(lambda share: round(share, 3)),
    seed=st.integers(0, 5),
)
def test_every_class_keeps_its_share(sizes: list[int], fraction: float, seed: int) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    some = subset(examples(labels), fraction, seed)
    kept = np.bincount(some.labels, minlength=len(sizes))
    for size, count in zip(sizes, kept, strict=True):
        assert min(size, 3) <= count <= size
        assert count == min(size, 3) or abs(count - fraction * size) < 1
    if min(fraction * size for size in sizes) > 4:  # no class has more than its share
        assert len(some) == round(Fraction(str(fraction)) * sum(sizes))
    assert (np.diff(some.indices) > 0).all()
    again = subset(examples(labels), fraction, seed)
    assert again.indices.tolist() == some.indices.tolist()


def test_nearly_all_is_nearly_all() -> None:
    many = [label for label in range(100) for _ in range(10)]
    assert len(subset(examples(many), 0.99, 0)) == 990


def test_all_of_it_is_the_same_examples() -> None:
    whole = examples([0, 1])
    assert subset(whole, 1.0, 0) is whole


def photos(path: Path, counts: dict[str, int]) -> None:
    for part, count in counts.items():
        for kind, name in enumerate(("cat", "dog")):
            for number in range(count):
                picture(path / part / name / f"{number}.png", number + 90 * kind)


@settings(max_examples=8, deadline=None)
@given(fraction=st.sampled_from([0.05, 0.25, 0.5, 0.9, 1.0]), given_too=st.booleans())
def test_each_part_of_a_folder_is_reduced(fraction: float, given_too: bool) -> None:
    counts = {"train": 20, "test": 8} | ({"validation": 4} if given_too else {})
    with tempfile.TemporaryDirectory() as place:
        photos(Path(place), counts)
        source = loading.load(folder(Path(place), fraction=fraction))
        parts = [Path(name).parent.parent.name for name in names(source.train)]
        assert source.test is not None
        assert len(source.test) == max(6, round(fraction * 16))
        for part, count in counts.items():
            if part != "test":
                assert parts.count(part) == max(6, round(fraction * 2 * count))
        if given_too:
            train, validation = given_validation(source)
            assert len(train) + len(validation) == len(source.train)
            assert {Path(name).parent.parent.name for name in names(validation)} == {"validation"}


def test_images_that_are_left_out_are_not_looked_at(tmp_path: Path) -> None:
    photos(tmp_path, {"train": 12, "test": 8})
    whole = loading.load(folder(tmp_path))
    some = loading.load(folder(tmp_path, fraction=0.3))
    assert whole.test is not None
    assert some.test is not None
    dropped = set(names(whole.train)) - set(names(some.train))
    for name in dropped:
        Path(name).write_bytes(b"no picture")
    assert dropped
    assert loading.prepare(folder(tmp_path, fraction=0.3)) == []
    with pytest.raises(ConfigError):
        loading.prepare(folder(tmp_path))


def test_records_are_reduced(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    some = loading.load(of_records(data, fraction=0.5))
    assert np.bincount(some.train.labels).tolist() == [5, 5, 5]
    assert some.test is not None
    assert np.bincount(some.test.labels).tolist() == [3, 3, 3]  # three of a class, not half of it
    assert sum(1 for _ in some.train.raw()) == 15


def test_digits_are_reduced() -> None:
    made = recipe("dataset.fraction=0.1")
    source = loading.load(made.dataset)
    assert source.test is not None
    assert len(source.train) + len(source.test) == 180


@pytest.mark.parametrize("wrong", ["0", "1.5", "-0.1", "all"])
def test_a_part_is_more_than_nothing_and_at_most_all(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.fraction"):
        recipe(f"dataset.fraction={wrong}")
