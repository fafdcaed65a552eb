"""What runs are called and how they are described in MLflow."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.app.pages.descriptions import (
    alone_name,
    alone_note,
    study_tags,
    trial_name,
    trial_note,
    trial_tags,
)
from sweeper.records import TrialSpec, Value


def spec(number: int, again: tuple[str, ...] = (), /, **params: Value) -> TrialSpec:
    folders = tuple(Path("/study/trials", name) for name in again)
    return TrialSpec(number, params, ("batch_size=16",), Path("/study/trials/0007"), again=folders)


@pytest.mark.parametrize(
    ("trial", "name"),
    [
        (
            spec(7, **{"optimizer.learning_rate": 0.00123456, "freeze.unfreeze_blocks": 4}),
            "0007 lr=0.00123 blocks=4",
        ),
        (
            spec(3, **{"optimizer.learning_rate": 1e-5, "phases.unfrozen.learning_rate": 2.0}),
            "0003 lr=1e-5 unfrozen.lr=2",
        ),
        (spec(4, **{"batch_size": 16, "dataset.batch": 3e-4}), "0004 batch=3e-4 batch_size=16"),
        (spec(0, **{"+head.name": "adam", "seed": None}), "0000 seed=null head.name=adam"),
        (spec(12345), "trial 12345"),
        (spec(8, ("0005", "0002"), seed=1), "0008 seed=1 (retry of 0005)"),
        (spec(8, ("0005",)), "trial 0008 (retry of 0005)"),
        (spec(1, head="a" * 50), f"0001 head={'a' * 31}…"),
    ],
)  # fmt: skip
def test_a_trial_is_called_by_its_number_and_what_differs(trial: TrialSpec, name: str) -> None:
    assert trial_name(trial) == name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["+experiment=digits_lite0"], "digits_lite0"),
        (
            ["+experiment=digits_lite0", "image_size=48", "phases.frozen.epochs=1"],
            "digits_lite0 image_size=48 epochs=1",
        ),
        (["~phases.unfrozen", "++seed=3"], "digits_lite0 unfrozen=(deleted) seed=3"),
        (
            ["tracking.uri=http://me:secret@host", "executor.devices=cpu", "cache.views=1"],
            "digits_lite0",
        ),
        (
            ["dataset.data_dir=/data", f"dataset.path=/{'long/' * 9}photos"],
            "digits_lite0 path=…" + f"{'long/' * 9}photos"[-31:],
        ),
    ],
)
def test_a_single_fine_tune_is_called_by_its_recipe_and_what_was_changed(
    overrides: list[str], name: str
) -> None:
    assert alone_name("digits_lite0", overrides) == name


NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)


@given(params=st.dictionaries(NAMES, VALUES, max_size=20), again=st.booleans())
def test_names_are_one_line_that_mlflow_takes_whatever_is_searched(
    params: dict[str, Value], again: bool
) -> None:
    name = trial_name(spec(7, ("0003",) if again else (), **params))
    assert name.startswith(("0007 ", "trial 0007"))
    assert name.endswith("(retry of 0003)") or not again
    assert len(name) <= 210
    assert name == " ".join(name.split())


@given(value=VALUES)
def test_a_value_keeps_its_row_of_the_description(value: Value) -> None:
    lines = trial_note(spec(7, **{"head|x": value, "seed": 1}), "dogs").split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert all(row.replace("\\|", "").count("|") == 3 for row in rows)
    assert rows[-1] == "| `seed` &nbsp; | `1` &nbsp; |"


def test_a_trial_is_described_by_what_differs() -> None:
    note = trial_note(spec(7, ("0003",), **{"+head.dropout": 0.25}), "dogs")
    assert "Trial 7 of the study `dogs`, which repeats trial 0003." in note
    assert "| `head.dropout` &nbsp; | `0.25` &nbsp; |" in note
    assert "`/study/trials/0007`" in note
    assert "`python -m sweeper batch_size=16`" in note
    assert "| --- |" not in trial_note(spec(7), "dogs")


def test_a_single_fine_tune_is_described_by_what_was_changed() -> None:
    note = alone_note("dogs", ["+experiment=dogs", "seed=3"], Path("/runs/1"))
    assert "One fine-tune of the recipe `dogs`." in note
    assert "| `seed` &nbsp; | `3` &nbsp; |" in note
    assert "experiment` &nbsp;" not in note


def test_what_is_searched_is_marked() -> None:
    params: dict[str, Value] = {"+head.dropout": 0.123456789, "optimizer": "adam"}
    assert trial_tags(params) == {
        "sweeper.searched": "head.dropout, optimizer",
        "searched.head.dropout": "0.123456789",
        "searched.optimizer": "adam",
    }
    space = dict.fromkeys(("head.dropout", "optimizer"), "")
    assert study_tags(space) == {"sweeper.searched": "head.dropout, optimizer"}
    assert trial_tags({}) == study_tags({}) == {}
