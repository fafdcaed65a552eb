from datetime import datetime
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from search.studies import a_study, finish

from sweeper.records import State
from sweeper.search.attributes import FOLDER, SECONDS
from sweeper.search.queue import requeue
from sweeper.search.status import StudyStatus


def tally_of(study: optuna.Study, folder: Path = Path("study")) -> StudyStatus:
    status = StudyStatus(study, folder)
    status.refresh()
    return status


def test_finished_trials_become_rows() -> None:
    study = a_study()
    finish(study, 0.5)
    finish(study, None, "FAIL", reason="boom")
    finish(study, None, "PRUNED", reason="hopeless")
    finish(study, None, "FAIL", reason="")
    study.ask()
    status = tally_of(study)
    table = status.summary().rows
    assert [row.state for row in table] == [State.COMPLETE, State.FAILED, State.PRUNED]
    assert [row.value for row in table] == [0.5, None, None]
    assert [row.reason for row in table] == ["", "boom", "hopeless"]
    assert (status.counted, status.failed, status.running) == (3, 1, {4})


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ((), ("trials/0",), "there"),  # it continues from another folder
        (("trials/9",), ("trials/0",), "there"),
        (("trials/0",), ("trials/0",), "here"),  # it was copied
        (("trials/0",), (), "here"),
        (("trials/0",), None, "here"),  # it was moved
        ((), None, "here"),
    ],
)
def test_trials_are_where_the_study_is_now(
    tmp_path: Path, here: tuple[str, ...], there: tuple[str, ...] | None, expected: str
) -> None:
    study = a_study()
    for folder in ("trials/0", str(tmp_path / "else")):
        trial = study.ask()
        trial.set_user_attr(FOLDER, folder)
        study.tell(trial, 0.5)
    study.set_user_attr(FOLDER, str(tmp_path / "there"))
    (tmp_path / "here").mkdir()
    for name, made in (("here", here), ("there", there)):
        for folder in ("", *made) if made is not None else ():
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
    first, second = tally_of(study, tmp_path / "here").summary().rows
    assert first.folder == tmp_path / expected / "trials" / "0"
    assert second.folder == tmp_path / "else"


def test_a_clock_that_is_set_back_changes_no_duration() -> None:
    study = a_study()
    finish(study, 0.5)
    finish(study, 0.6)
    times = [datetime.fromisoformat(day) for day in ("2026-01-02", "2026-01-01")]
    for seconds in ({}, {SECONDS: 2.5}):
        study.add_trial(
            optuna.trial.FrozenTrial(
                number=0,
                trial_id=0,
                state=optuna.trial.TrialState.COMPLETE,
                value=0.1,
                datetime_start=times[0],
                datetime_complete=times[1],
                params={},
                distributions={},
                user_attrs=seconds,
                system_attrs={},
                intermediate_values={},
            )
        )
    assert [row.seconds for row in tally_of(study).summary().rows[2:]] == [0.0, 2.5]


@pytest.mark.parametrize(("direction", "best"), [("maximize", 2), ("minimize", 1)])
def test_the_best_is_the_first_with_the_best_value(direction: str, best: int) -> None:
    study = a_study(directions=[direction])
    for value in (0.5, 0.1, 0.9, 0.9, 0.1):
        finish(study, value)
    status = tally_of(study)
    summary = status.summary()
    assert summary.best is not None
    assert summary.best.number == best
    assert [row.number for row in summary.front] == [best]
    assert summary.maximize == (direction == "maximize",)


def test_an_infeasible_trial_is_never_the_best() -> None:
    study = a_study()
    finish(study, 0.9, milliseconds=3.0)
    assert tally_of(study).best is None
    finish(study, 0.5, milliseconds=0.0)
    best = tally_of(study).best
    assert best is not None
    assert best.number == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 4).map(float), st.integers(0, 4).map(float)),
        min_size=1,
        max_size=12,
    ),
    st.tuples(*[st.sampled_from(["minimize", "maximize"])] * 2),
)
@settings(deadline=None, max_examples=40)
def test_the_front_is_the_pareto_set_of_optuna(
    values: list[tuple[float, float]], directions: tuple[str, str]
) -> None:
    study = a_study(directions=directions)
    status = StudyStatus(study, Path("study"))
    for pair in values:
        finish(study, pair)
        status.refresh()
    front = [row.number for row in status.summary().front]
    assert front == sorted(trial.number for trial in study.best_trials)
    assert status.best is not None
    assert status.best.number in front


def test_a_trial_that_was_tried_again_is_shown_and_does_not_count() -> None:
    study = a_study()
    status = StudyStatus(study, Path("study"))
    finish(study, None, "FAIL", reason="killed by SIGKILL")
    status.refresh()
    assert (status.counted, status.failed) == (1, 1)
    requeue(study, study.trials[0])
    status.refresh()
    assert (status.counted, status.failed, status.waiting) == (0, 0, 1)
    (row,) = status.summary().rows
    assert not row.counts
    assert status.is_tried_again(0)


def test_what_was_interrupted_is_lost_until_another_trial_stands_for_it() -> None:
    study = a_study()
    status = StudyStatus(study, Path("study"))
    interrupted = [study.ask() for _ in range(2)]
    status.refresh()
    assert not status.lost
    requeue(study, study.trials[1])  # before it is closed, as its own controller does
    for trial in interrupted:
        study.tell(trial, state=TrialState.FAIL)
    status.refresh()
    assert status.lost == {0}
    assert status.is_tried_again(0)
    requeue(study, study.trials[0])
    status.refresh()
    assert not status.lost
    assert (status.counted, status.waiting) == (0, 2)


def test_looking_again_reads_only_what_is_new() -> None:
    study = a_study()
    status = StudyStatus(study, Path("study"))
    running = study.ask()
    finish(study, 0.5)
    assert [trial.number for trial in status.refresh()] == [1]
    assert status.refresh() == ()
    assert status.running == {0}
    study.tell(running, 0.7)
    assert [trial.number for trial in status.refresh()] == [0]
    assert (status.running, status.counted, status.since_best) == (set(), 2, 0)
    finish(study, 0.1)
    finish(study, 0.7)
    status.refresh()
    assert status.since_best == 2


def test_folders_are_found_where_the_study_is_now(tmp_path: Path) -> None:
    study = a_study()
    first = tmp_path / "first"
    first.mkdir()
    study.set_user_attr(FOLDER, str(first))
    for folder in ("trials/0", str(tmp_path / "elsewhere")):
        trial = study.ask()
        trial.set_user_attr(FOLDER, folder)
        study.tell(trial, 0.5)
    second = tmp_path / "second"
    status = tally_of(study, second)
    assert [row.folder for row in status.summary().rows] == [
        first / "trials" / "0",
        tmp_path / "elsewhere",
    ]
    assert status.relative(first / "trials" / "1") == "trials/1"
    assert status.relative(second / "1") == str(second / "1")
    first.rename(second)
    assert tally_of(study, second).summary().rows[0].folder == second / "trials" / "0"
