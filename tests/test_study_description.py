"""How a study is described in MLflow."""

from pathlib import Path

import pytest

from sweeper.app.pages.study_description import StudyDescription
from sweeper.records import State, StudySummary, TrialRow
from sweeper.track.backend.run_note import KEPT, linked, rewritten

SPACE = {"optimizer.learning_rate": "interval(1e-4, 1e-2)"}
WORDS = ["-m", "+experiment=dogs", "tracking.uri=http://me:secret@host"]
DESCRIPTION = StudyDescription("dogs", "5f", SPACE, WORDS)


def row(number: int, value: float | None, **params: float) -> TrialRow:
    state = State.PRUNED if value is None else State.COMPLETE
    values = () if value is None else (value,)
    named = {name.replace("__", "."): one for name, one in params.items()}
    return TrialRow(number, state, values, 12.3, named, Path("/study/trials", str(number)))


def summary(*rows: TrialRow, objective: str = "val_accuracy") -> StudySummary:
    complete = [one for one in rows if one.values]
    best = max(complete, key=lambda one: one.values, default=None)
    front = (best,) if best else ()
    return StudySummary("dogs", Path("/study"), (True,), rows, best, front, (objective,))


def test_a_study_that_begins_is_described_by_its_space_commands_and_files() -> None:
    text = DESCRIPTION.text(summary())
    assert "A search over the recipe `dogs` for the highest `val_accuracy`." in text
    assert "0 trials (0 complete, 0 pruned, 0 failed); none is complete yet." in text
    assert "| `optimizer.learning_rate` &nbsp; | `interval(1e-4, 1e-2)` &nbsp; |" in text
    assert "`python -m sweeper -m +experiment=dogs" in text
    assert "secret" not in text
    assert "`sweeper predict /study IMAGES`" in text
    assert "`sweeper promote /study`" in text
    assert "Files: `/study`" in text
    assert "(run:/artifacts/report.html)" in text


def test_the_best_ten_complete_trials_stand_in_order() -> None:
    rows = [row(number, number / 100, optimizer__learning_rate=3e-4) for number in range(12)]
    text = DESCRIPTION.text(summary(*rows, row(12, None)), "test accuracy 0.1")
    assert "13 trials (12 complete, 1 pruned, 0 failed)" in text
    assert "Best is [0011](run:11): **`val_accuracy 0.11`**; test accuracy 0.1." in text
    lines = [line for line in text.splitlines() if line.startswith("| [")]
    assert lines[0] == "| [0011](run:11) &nbsp; | 0.1100 &nbsp; | 12 &nbsp; | `3e-4` &nbsp; |"
    assert [line[3:7] for line in lines] == [f"{number:04d}" for number in range(11, 1, -1)]
    assert "| trial &nbsp; | `val_accuracy` &nbsp; | `seconds` &nbsp; | `lr` &nbsp; |" in text


@pytest.mark.parametrize(
    ("objective", "metric"), [("val_accuracy", "best_val_accuracy"), ("flops", "flops")]
)
def test_all_trials_are_linked_in_the_order_of_what_the_study_ranks_by(
    objective: str, metric: str
) -> None:
    text = DESCRIPTION.text(summary(objective=objective))
    assert f"orderByKey=metrics.%60{metric}%60&orderByAsc=false" in text
    assert "sweeper.study_id%60%20%3D%20%275f%27" in text


def test_what_is_least_important_is_left_out_where_mlflow_takes_no_more() -> None:
    rows = [row(number, 0.5, **{f"part.{n}": 0.123 for n in range(20)}) for number in range(12)]
    text = DESCRIPTION.text(summary(*rows))
    whole, _ = linked(text, "1" * 18, lambda _name: "f" * 32)
    mine = "Mine. " * 100
    note = rewritten(f"**State:** running\n\nA study.\n\n{KEPT}{mine}", whole, 4500)
    assert len(note) <= 4500
    assert note.endswith(mine)
    assert note.startswith("**State:** running\n\n**Result:** 12 trials")
    assert note.count("| [00") == 10


def test_a_description_that_a_person_has_replaced_stays() -> None:
    assert rewritten("**State:** running\n\nMine.", "Ours.", 5000).endswith("Mine.")
