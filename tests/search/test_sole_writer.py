"""A database with one writer: what is remembered of it is what it holds, and little is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from sweeper.search.stores.sole_writer import SoleWriter

DRAWN = FloatDistribution(0, 1)
CHANGES = ("new", "queued", "param", "report", "user", "system", "complete", "fail", "look")


@pytest.fixture
def database(tmp_path: Path) -> RDBStorage:
    return RDBStorage(f"sqlite:///{tmp_path}/study.db")


def change(storage: SoleWriter, study: int, kind: str, trial: int | None, number: int) -> None:
    """One change as Optuna makes it, to a trial that runs."""
    match kind, trial:
        case "new", _:
            storage.create_new_trial(study)
        case "queued", _:
            queued = create_trial(state=TrialState.WAITING, user_attrs={"a": number})
            storage.create_new_trial(study, queued)
        case "look", _:
            storage.get_all_trials(study)
        case _, None:
            pass
        case "param", int(one):
            if "x" not in storage.get_trial(one).params:
                storage.set_trial_param(one, "x", number / 100, DRAWN)
        case "report", int(one):
            storage.set_trial_intermediate_value(one, number, number / 3)
        case "user", int(one):
            storage.set_trial_user_attr(one, f"key {number % 3}", [number])
        case "system", int(one):
            storage.set_trial_system_attr(one, f"key {number % 3}", number)
        case "complete", int(one):
            storage.set_trial_state_values(one, TrialState.COMPLETE, [number])
        case "fail", int(one):
            storage.set_trial_state_values(one, TrialState.FAIL)


@given(
    changes=st.lists(
        st.tuples(st.sampled_from(CHANGES), st.integers(0, 99), st.integers(0, 99)), max_size=30
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_remembered_is_what_the_database_holds(
    database: RDBStorage, changes: Sequence[tuple[str, int, int]]
) -> None:
    storage = SoleWriter(database)
    study = storage.create_new_study([StudyDirection.MINIMIZE])
    for kind, which, number in changes:
        running = storage.get_all_trials(study, states=(TrialState.RUNNING,))
        trial = running[which % len(running)]._trial_id if running else None
        change(storage, study, kind, trial, number)
    kept = database.get_all_trials(study)
    assert storage.get_all_trials(study) == kept
    assert [storage.get_trial(trial._trial_id) for trial in kept] == kept
    complete = (TrialState.COMPLETE,)
    wanted = [trial for trial in kept if trial.state in complete]
    assert storage.get_all_trials(study, deepcopy=False, states=complete) == wanted
    assert SoleWriter(database).get_all_trials(study) == kept


def statements_of_a_look(database: RDBStorage, running: int, finished: int) -> int:
    """How many statements the database gets for a look at a study after one report."""
    study = optuna.create_study(storage=SoleWriter(database))
    study.add_trials([create_trial(value=1.0)] * finished)
    trials = [study.ask() for _ in range(running)]
    study.get_trials(deepcopy=False)
    seen: list[Any] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    trials[0].report(0.5, 1)
    study.get_trials(deepcopy=False)
    return len(seen)


def test_a_look_costs_what_was_written_since_the_last_one(tmp_path: Path) -> None:
    small, large = (RDBStorage(f"sqlite:///{tmp_path}/{name}.db") for name in ("small", "large"))
    few = statements_of_a_look(small, running=1, finished=1)
    assert 0 < few == statements_of_a_look(large, running=40, finished=60)


def test_what_a_trial_notes_of_itself_is_not_seen_before_it_is_written(
    database: RDBStorage,
) -> None:
    study = optuna.create_study(storage=SoleWriter(database))
    trial = study.ask()
    own = study._storage.get_trial(trial._trial_id)
    own.user_attrs["a"] = 1
    own.intermediate_values[0] = 0.5
    (seen,) = study.get_trials(deepcopy=False)
    assert (seen.user_attrs, seen.intermediate_values) == ({}, {})
