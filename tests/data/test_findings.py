"""What a person is warned of before training: copies, blank images, values of 12 bits."""

import re
import shutil
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted import recipe as of_records
from pictures import decoded, folder
from PIL import Image
from test_tfds_source import png, stored

from sweeper.data.sources import loading

NAMES = ("cat", "dog")
SHADES = 6
"""Pictures that there are: two files of one shade are the same bytes."""


def shaded(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((6, 6, 3), np.uint8)
    pixels[:3] = 30 * shade + 30
    Image.fromarray(pixels).save(path)


def count_of(doubts: list[str], words: str) -> int:
    """The number in the one sentence with these words, 0 where there is none."""
    found = [re.match(r"warning: ([\d,]+) ", text) for text in doubts if words in text]
    assert len(found) <= 1
    return int(found[0][1].replace(",", "")) if found and found[0] else 0


IMAGES = st.lists(
    st.tuples(
        st.sampled_from(["train", "validation", "test"]),
        st.sampled_from(NAMES),
        st.integers(0, SHADES - 1),
    ),
    max_size=10,
)


@settings(max_examples=15, deadline=None)
@given(images=IMAGES)
def test_copies_are_counted_by_where_they_are(images: list[tuple[str, str, int]]) -> None:
    everywhere = [(part, name) for part in ("train", "validation", "test") for name in NAMES]
    rows = [*images, *((*place, SHADES) for place in everywhere)]  # no folder is empty
    groups = defaultdict(list)
    for row in rows:
        groups[row[2]].append(row)
    in_two_classes = sum(
        len(group) for group in groups.values() if len({name for _, name, _ in group}) > 1
    )

    def shared(one: str, other: str) -> int:
        return sum(
            part == one and any(row[0] == other for row in groups[shade]) for part, _, shade in rows
        )

    of_a_part = Counter((part, shade) for part, _, shade in rows)
    copies = sum(times - 1 for times in of_a_part.values())
    with tempfile.TemporaryDirectory() as place:
        for number, (part, name, shade) in enumerate(rows):
            shaded(Path(place, part, name, f"{number}.png"), shade)
        printed = loading.doubts(folder(Path(place)))
    assert count_of(printed, "are in two classes or more") == in_two_classes
    assert count_of(printed, "test images are train images too") == shared("test", "train")
    assert count_of(printed, "test images are validation images too") == shared(
        "test", "validation"
    )
    assert count_of(printed, "validation images are train images too") == shared(
        "validation", "train"
    )
    assert count_of(printed, "are copies of another one of the same part") == copies


def test_classes_that_validation_lacks_are_named(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    for part, names in (("train", ("ant", "bee", "cat", "dog")), ("validation", ("ant", "bee"))):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            for image in range(3):
                pixels = numbers.integers(0, 256, (6, 6, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{image}.png")
    (found,) = loading.doubts(folder(tmp_path, test_fraction=0))
    assert found.startswith("warning: 2 of 4 classes have no validation images")
    assert found.endswith(": cat, dog")
    shutil.rmtree(tmp_path / "validation")
    assert loading.doubts(folder(tmp_path, test_fraction=0)) == []


def test_a_leak_names_the_images_and_what_to_do(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind, name in enumerate(("cat", "dog")):
            for number in range(2):
                shaded(tmp_path / part / name / f"{part}{number}.png", 2 * kind + number)
    (printed,) = loading.doubts(folder(tmp_path))
    assert printed.startswith("warning: 4 of 4 test images are train images too, byte for byte")
    first = f"{tmp_path}/test/cat/test0.png = {tmp_path}/train/cat/train0.png"
    assert first in printed
    assert printed.endswith(", 1 more")


def test_copies_may_fall_on_both_sides_of_a_split_that_is_drawn(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(8):
            shaded(tmp_path / name / f"{number}.png", 0 if name == "cat" else 1)
    printed = loading.doubts(folder(tmp_path))
    assert count_of(printed, "test images are train images too") == 4
    assert count_of(printed, "are copies of another one of the same part") == 10 + 2
    assert any("validation images may be drawn from both" in text for text in printed)


def test_records_that_are_the_same_bytes_are_counted_too(tmp_path: Path) -> None:
    rows = [(png(level), level % 2) for level in range(1, 9)]
    stored(tmp_path, "leaking", {"train": rows, "validation": rows[:3], "test": rows[6:]})
    known = of_records(tmp_path, name="leaking", validation_split="validation")
    printed = loading.doubts(known)
    assert count_of(printed, "test images are train images too") == 2
    assert count_of(printed, "validation images are train images too") == 3
    assert any("of 3 validation images" in text for text in printed)


def test_images_left_out_are_not_counted(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(4):
            shaded(tmp_path / name / f"{number}.png", number + 4 * (name == "dog"))
    for name in ("x", "y"):
        (tmp_path / "cat" / f"{name}.png").write_bytes(b"no picture")
    assert loading.doubts(folder(tmp_path, on_corrupt="skip")) == []


def saved(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)


def around(tmp_path: Path) -> None:
    """Sound images of two classes beside those that a test is about."""
    for kind, name in enumerate(("cat", "dog")):
        for number in range(3):
            shaded(tmp_path / name / f"sound{number}.png", 3 * kind + number)


def test_images_of_nearly_one_colour_are_counted(tmp_path: Path) -> None:
    around(tmp_path)
    noise = np.random.default_rng(0).integers(0, 14, (9, 9, 3))
    saved(tmp_path / "cat" / "white.png", np.full((9, 9, 3), 255, np.uint8))
    saved(tmp_path / "cat" / "noise.png", (120 + noise).astype(np.uint8))
    saved(tmp_path / "dog" / "one.png", np.zeros((1, 1, 3), np.uint8))
    visible = np.zeros((9, 9, 3), np.uint8)
    visible[4, 4] = 16
    saved(tmp_path / "dog" / "dot.png", visible)
    (printed,) = loading.doubts(folder(tmp_path))
    assert printed.startswith(
        f"warning: 3 of 10 images of {tmp_path} hardly differ from one colour"
    )
    assert "dot.png" not in printed
    assert all(name in printed for name in ("white.png", "noise.png", "one.png"))


@pytest.mark.parametrize("grey", [False, True])
def test_shapes_that_are_in_the_alpha_channel_alone_are_seen(tmp_path: Path, grey: bool) -> None:
    around(tmp_path)
    alpha = np.zeros((9, 9, 1), np.uint8)
    alpha[2:7, 2:7] = 255
    channels = 1 if grey else 3
    shape = np.concatenate([np.zeros((9, 9, channels), np.uint8), alpha], axis=-1)
    empty = np.concatenate([np.zeros((9, 9, channels), np.uint8), np.full_like(alpha, 90)], axis=-1)
    saved(tmp_path / "cat" / "shape.png", shape)
    saved(tmp_path / "cat" / "empty.png", empty)
    (printed,) = loading.doubts(folder(tmp_path))
    assert "1 of 8 images" in printed  # what is seen through is blank; the shape is none such
    assert "empty.png" in printed
    source = loading.load(folder(tmp_path, test_fraction=0))
    (seen,) = (
        image
        for image, position in zip(decoded(source.train), source.train.indices, strict=True)
        if source.train.name(position).endswith("shape.png")
    )
    assert len(np.unique(seen)) == 2
    assert (seen[2:7, 2:7] == seen[4, 4]).all()
    assert (seen[0] != seen[4, 4]).all()


@settings(max_examples=10, deadline=None)
@given(bits=st.integers(8, 16), suffix=st.sampled_from([".png", ".tif"]))
def test_values_of_few_bits_in_files_of_sixteen_are_named(bits: int, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        around(Path(place))
        ramp = np.linspace(0, 2**bits - 1, 81).reshape(9, 9).astype(np.uint16)
        saved(Path(place, "cat", f"scan{suffix}"), ramp)
        printed = loading.doubts(folder(Path(place)))
    if bits > 14:
        assert printed == []
        return
    (text,) = printed
    assert text.startswith(f"warning: 1 of 7 images of {place} have 16 bits a value and use the ")
    assert "multiply their values to fill 16 bits" in text
    assert f"scan{suffix}" in text
