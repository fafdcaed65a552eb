import itertools
from pathlib import Path

import optuna
import pytest
from search.studies import a_study, finish

from sweeper.search.status import StudyStatus
from sweeper.search.stopping import Stopping


def tally_of(study: optuna.Study) -> StudyStatus:
    status = StudyStatus(study, Path("study"))
    status.refresh()
    return status


def test_running_trials_take_room_but_do_not_end_the_study() -> None:
    study, stopping = a_study(), Stopping(2)
    finish(study, 0.5)
    assert stopping.has_room(tally_of(study))
    trial = study.ask()
    assert not stopping.has_room(tally_of(study))
    assert not stopping.is_done(tally_of(study))
    study.tell(trial, 0.1)
    assert stopping.is_done(tally_of(study))
    assert (stopping.reason, stopping.failed) == ("", False)


def test_without_a_total_there_is_always_room() -> None:
    study, stopping = a_study(), Stopping(None)
    for _ in range(30):
        finish(study, 0.5)
    study.ask()
    assert stopping.has_room(tally_of(study))
    assert not stopping.is_done(tally_of(study))


@pytest.mark.parametrize(
    ("direction", "before", "reached"), [("maximize", 0.89, 0.9), ("minimize", 0.91, 0.9)]
)
def test_the_target_is_reached_at_its_value(direction: str, before: float, reached: float) -> None:
    study, stopping = a_study(directions=[direction]), Stopping(9, target=0.9)
    finish(study, before)
    assert not stopping.is_done(tally_of(study))
    finish(study, reached)
    assert stopping.is_done(tally_of(study))
    assert stopping.reason == "trial 1 reached the target 0.9: 0.9"
    assert not stopping.failed


def test_a_target_that_breaks_a_constraint_is_not_reached() -> None:
    study, stopping = a_study(), Stopping(9, target=0.9)
    finish(study, 0.95, size=1.0)
    assert not stopping.is_done(tally_of(study))


def test_patience_counts_finished_trials_since_the_best() -> None:
    study, stopping = a_study(), Stopping(9, patience=2)
    for value, state in ((0.5, "COMPLETE"), (None, "PRUNED"), (0.6, "COMPLETE"), (None, "FAIL")):
        finish(study, value, state)
        assert not stopping.is_done(tally_of(study))
    finish(study, 0.6)
    assert stopping.is_done(tally_of(study))
    assert stopping.reason == "2 trials in a row were no better than the best one"


def test_the_timeout_is_of_this_sweep() -> None:
    clock = itertools.count(100)
    study = a_study()
    stopping = Stopping(9, timeout=2.0, clock=lambda: next(clock))
    assert not stopping.is_done(tally_of(study))  # 1 s
    assert stopping.is_done(tally_of(study))
    assert stopping.reason == "the timeout of 2 s has passed"


def test_what_has_ended_the_study_stays() -> None:
    study, stopping = a_study(), Stopping(9, patience=1)
    finish(study, 0.5)
    finish(study, 0.4)
    assert stopping.is_done(tally_of(study))
    finish(study, 0.9)
    assert stopping.is_done(tally_of(study))
    assert stopping.reason.startswith("1 trials")


@pytest.mark.parametrize(("n_trials", "rate", "most"), [(10, 0.25, 2), (10, 0.0, 0), (4, 0.5, 2)])
def test_the_failure_rate_is_of_the_whole_study_and_ends_it_when_certain(
    n_trials: int, rate: float, most: int
) -> None:
    study, stopping = a_study(), Stopping(n_trials, max_failure_rate=rate)
    for _ in range(most):
        finish(study, None, "FAIL", "boom")
        assert not stopping.is_done(tally_of(study))
    finish(study, None, "FAIL", "bang")
    assert stopping.is_done(tally_of(study))
    assert stopping.failed
    assert stopping.reason == (
        f"{most + 1} of {most + 1} finished trials failed, more than "
        f"hydra.sweeper.max_failure_rate={rate:g} allows; the last: bang"
    )


def test_without_a_total_the_failure_rate_is_of_what_has_finished() -> None:
    study, stopping = a_study(), Stopping(None, max_failure_rate=0.5)
    for value, state in ((0.5, "COMPLETE"), (None, "FAIL"), (0.5, "COMPLETE"), (None, "FAIL")):
        finish(study, value, state)
        assert not stopping.is_done(tally_of(study))
    finish(study, None, "FAIL")
    assert stopping.is_done(tally_of(study))


def test_all_may_fail_at_a_rate_of_one() -> None:
    study, stopping = a_study(), Stopping(2, max_failure_rate=1.0)
    finish(study, None, "FAIL")
    finish(study, None, "FAIL")
    assert stopping.is_done(tally_of(study))
    assert not stopping.failed


def test_interrupted_trials_have_not_failed() -> None:
    study, stopping = a_study(), Stopping(4, max_failure_rate=0.0)
    finish(study, None, "FAIL", reason="")
    assert not stopping.is_done(tally_of(study))
