"""What validates: as the recipe says, or as the data set has it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes import recipe

from sweeper.config import Recipe
from sweeper.data.sources import loading
from sweeper.errors import ConfigError
from sweeper.train.folds import hashed_split, settled, spelled_split, splits_of


def of_folder(path: Path, *parts: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """A recipe for a folder with these parts, of 2 x 6 images each; none: classes alone."""
    for number, part in enumerate(parts or (".",)):
        for kind, name in enumerate(("cat", "dog")):
            (path / part / name).mkdir(parents=True)
            for image in range(6):
                pixels = np.zeros((4, 4, 3), np.uint8)
                pixels[0] = 40 * number + 20 * kind + 2 * image + 17
                Image.fromarray(pixels).save(path / part / name / f"{image}.png")
    return recipe("dataset=folder", f"dataset.path={path}", *overrides)


def of_table(path: Path, splits: str, column: str = "split") -> Recipe:
    of_folder(path)
    files = [f"{name}/{image}.png,{name}" for image in range(6) for name in ("cat", "dog")]
    rows = [f"{file},{split}" for file, split in zip(files, splits.split(), strict=True)]
    (path / "table.csv").write_text("\n".join(["image,label,split", *rows]))
    table = f"dataset.path={path}/table.csv"
    return recipe("dataset=csv", table, f"dataset.split_column={column}")


GIVEN = "train train train train train train val val val val test test"
DRAWN = "train train train train train train train train train train test test"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (("train", "validation", "test"), "given"),
        (("train", "val"), "given"),
        (("train", "test"), "split"),
        ((), "split"),
    ],
)
def test_auto_is_what_the_folders_say(parts: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    made = of_folder(tmp_path / "data", *parts)
    assert made.validation.kind == "auto"
    found = settled(made)
    assert found.validation.kind == kind
    assert settled(found) is found
    source = loading.load(made.dataset)
    for one, other in zip(splits_of(source, made)[0], splits_of(source, found)[0], strict=True):
        assert one.indices.tolist() == other.indices.tolist()


@pytest.mark.parametrize(
    ("splits", "column", "kind"),
    [(GIVEN, "split", "given"), (DRAWN, "split", "split"), (GIVEN, "null", "split")],
)
def test_auto_is_what_the_table_says(splits: str, column: str, kind: str, tmp_path: Path) -> None:
    assert settled(of_table(tmp_path / "data", splits, column)).validation.kind == kind


def test_auto_is_what_the_recipe_says_of_records_and_digits(tmp_path: Path) -> None:
    absent = ("dataset=tfds", "dataset.name=absent", f"dataset.data_dir={tmp_path}")
    assert settled(recipe(*absent)).validation.kind == "split"
    with_split = recipe(*absent, "dataset.validation_split=validation")
    assert settled(with_split).validation.kind == "given"
    assert settled(recipe()).validation.kind == "split"


@pytest.mark.parametrize("kind", ["split", "given", "kfold", "test"])
def test_what_a_person_chose_stays(kind: str, tmp_path: Path) -> None:
    made = of_folder(tmp_path / "data", "train", "validation", overrides=(f"validation={kind}",))
    assert settled(made) is made


def test_data_that_is_not_there_is_another_ones_fault(tmp_path: Path) -> None:
    made = recipe("dataset=folder", f"dataset.path={tmp_path}/absent")
    assert settled(made).validation.kind == "split"
    table = recipe("dataset=csv", f"dataset.path={tmp_path}/absent.csv")
    assert settled(table).validation.kind == "split"


def test_given_images_validate_and_no_others(tmp_path: Path) -> None:
    made = of_folder(tmp_path / "data", "train", "validation", "test")
    source = loading.load(made.dataset)
    ((train, validation),) = splits_of(source, made)
    assert source.test is not None
    for part, examples in (("train", train), ("validation", validation), ("test", source.test)):
        used = [Path(examples.name(position)) for position in examples.indices]
        assert {name.parent.parent.name for name in used} == {part}
        assert len(used) == 12
    assert spelled_split(source, made) == (
        "12 images train, 12 validate (given by the data set), 12 test (given by the data set)"
    )


def test_given_needs_images_that_are_given(tmp_path: Path) -> None:
    made = of_folder(tmp_path / "data", "train", "test", overrides=("validation=given",))
    with pytest.raises(ConfigError, match=r"validation=given needs images .* set validation=split"):
        splits_of(loading.load(made.dataset), made)


def test_without_a_test_the_plan_says_so(tmp_path: Path) -> None:
    made = of_folder(
        tmp_path / "data", "train", "validation", overrides=("dataset.test_fraction=0",)
    )
    source = loading.load(made.dataset)
    assert source.test is None
    assert spelled_split(source, made).endswith("none test (dataset.test_fraction=0)")
    tested = made.model_copy(update={"validation": recipe("validation=test").validation})
    with pytest.raises(ConfigError, match="validation=test needs a test set"):
        splits_of(source, tested)


def test_other_images_labels_or_splits_have_another_hash(tmp_path: Path) -> None:
    found = of_folder(tmp_path, overrides=("dataset.test_fraction=0.3",))

    def hashed(**changes: object) -> str:
        changed = found.model_copy(update={"dataset": found.dataset.model_copy(update=changes)})
        return hashed_split(loading.load(changed.dataset), changed)

    first = hashed()
    assert first.startswith("6 images train, 2 validate, 4 test (names, labels and split: ")
    (tmp_path / "cat" / "0.png").touch()
    assert hashed() == first
    others = {first, hashed(split_seed=1), hashed(validation_fraction=0.4)}
    (tmp_path / "cat" / "0.png").rename(tmp_path / "dog" / "6.png")
    others.add(hashed())
    (tmp_path / "dog" / "6.png").rename(tmp_path / "dog" / "7.png")
    others.add(hashed())
    (tmp_path / "dog").rename(tmp_path / "hound")
    others.add(hashed())
    assert len(others) == 6


@pytest.mark.parametrize("kind", ["kfold", "test"])
def test_what_validates_is_part_of_the_hash(tmp_path: Path, kind: str) -> None:
    split = of_folder(tmp_path)
    other = recipe("dataset=folder", f"dataset.path={tmp_path}", f"validation={kind}")
    source = loading.load(split.dataset)
    assert hashed_split(source, split) != hashed_split(source, other)
