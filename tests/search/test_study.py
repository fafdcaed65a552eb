from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState
from search.studies import a_study, finish, memory, sqlite

from sweeper.errors import ConfigError
from sweeper.search.attributes import ATTEMPTS, FOLDER, OOM, REASON, RETRY_OF, STUDY_ID, WARM_START
from sweeper.search.queue import enqueue_next, requeue, requeue_interrupted, warm_start
from sweeper.search.status import StudyStatus, ran_out_of_memory
from sweeper.search.study import check_fingerprint, find_study, open_study, put_aside, remove_empty


def test_a_study_continues_in_its_database(tmp_path: Path) -> None:
    store = sqlite(tmp_path)
    assert find_study("one", store) is None
    finish(a_study(store), 0.5)
    store.close()
    again = sqlite(tmp_path)
    assert [trial.value for trial in a_study(again).trials] == [0.5]
    known = find_study("one", again)
    assert known is not None
    assert len(known.trials) == 1
    again.close()


def test_a_study_with_other_directions_is_refused() -> None:
    store = memory()
    a_study(store, ["maximize"])
    with pytest.raises(ConfigError, match="direction is minimize, but study one has maximize"):
        a_study(store, ["minimize"])


def test_what_was_interrupted_is_closed_and_queued_once_whenever_the_controller_died() -> None:
    study = a_study()
    finish(study, 0.5)
    finish(study, None, "FAIL", reason="boom")
    finish(study, None, "FAIL", reason="")  # died after it was reported, before it was queued
    running = study.ask()
    running.suggest_float("x", 0, 1)
    queued = study.ask()  # died between queueing and telling
    queued.suggest_float("x", 0, 1)
    queued.set_user_attr(FOLDER, "trials/0004")
    requeue(study, study.trials[queued.number])
    assert requeue_interrupted(study, dead=True) == [2, 3]
    assert requeue_interrupted(study, dead=True) == []
    assert [t.number for t in study.trials if t.state is TrialState.RUNNING] == []
    waiting = [t for t in study.trials if t.state is TrialState.WAITING]
    assert [t.user_attrs[RETRY_OF] for t in waiting] == [4, 2, 3]
    again = study.ask()
    assert again.suggest_float("x", 0, 1) == queued.params["x"]


def test_trials_of_a_living_controller_are_left_alone() -> None:
    study = a_study()
    study.ask()
    assert requeue_interrupted(study, dead=False) == []
    assert study.trials[0].state is TrialState.RUNNING


def test_what_was_fixed_but_not_yet_suggested_is_tried_again_too() -> None:
    study = a_study()
    study.enqueue_trial({"x": 0.25, "y": 0.75})
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    requeue(study, study.trials[0], {"killed": 1})
    again = study.ask()
    assert (again.suggest_float("x", 0, 1), again.suggest_float("y", 0, 1)) == (0.25, 0.75)
    assert again.user_attrs == {RETRY_OF: 0, ATTEMPTS: {"killed": 1}}


def test_a_study_of_another_recipe_is_refused_with_the_ways_out() -> None:
    study = a_study()
    check_fingerprint(study, {"batch_size": "32", "optimizer": "adam,sgd"})
    check_fingerprint(study, {"batch_size": "32", "optimizer": "adam,sgd"})
    with pytest.raises(ConfigError) as caught:
        check_fingerprint(study, {"batch_size": "64", "optimizer": "adam,sgd", "seed": "1"})
    assert caught.value.faults[:2] == (
        "batch_size is 64, but the trials of study one have 32",
        "seed is 1, but the trials of study one have none",
    )
    assert "hydra.sweeper.resume=false" in caught.value.faults[2]
    assert "hydra.sweeper.study_name=<name>" in caught.value.faults[2]


def test_a_study_without_trials_takes_a_corrected_recipe() -> None:
    store = memory()
    study = a_study(store)
    check_fingerprint(study, {"batch_size": "32"})
    study.set_user_attr(STUDY_ID, "abc")
    assert remove_empty(study, store) == "abc"
    corrected = a_study(store, directions=["minimize"])
    check_fingerprint(corrected, {"batch_size": "64"})
    corrected.ask()
    assert remove_empty(corrected, store) is None
    assert find_study("one", store) is not None


def test_a_study_that_others_may_begin_stays() -> None:
    store = memory()
    store.shared = True
    remove_empty(a_study(store), store)
    assert find_study("one", store) is not None


def test_a_study_put_aside_keeps_its_trials_and_their_folders(tmp_path: Path) -> None:
    store, folder = sqlite(tmp_path), tmp_path / "study"
    for expected in ("one-1", "one-2"):
        study = a_study(store)
        trial = study.ask()
        trial.set_user_attr(FOLDER, "trials/0000")
        study.tell(trial, 0.5)
        for file in ("trials/0000/log", "optimization_results.yaml", "README.md"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(expected)
        assert put_aside(study, store, folder) == expected
        assert [path.name for path in sorted(folder.iterdir())] == [
            "README.md",
            "archive",
            "trials",
        ]
        assert not (folder / "trials" / "0000").exists()
        kept = optuna.load_study(study_name=expected, storage=store.storage)
        (row,) = rows(kept, folder)
        assert (row.folder / "log").read_text() == expected
        assert find_study("one", store) is None
    store.close()


def rows(study: optuna.Study, folder: Path) -> tuple[object, ...]:
    status = StudyStatus(study, folder)
    status.refresh()
    return status.summary().rows


def test_a_seeded_sampler_learns_of_memory_that_ran_out() -> None:
    study = a_study()
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr(OOM, True)
    trial.set_user_attr(REASON, "out of memory")
    trial.set_constraint(OOM, 1.0)
    study.tell(trial, state=TrialState.FAIL)
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    assert study.get_trials(states=states) == []
    for failed in ran_out_of_memory(study.trials):
        study.learn_oom(failed)
    (seen,) = study.get_trials(states=states)
    assert seen.params == trial.params
    assert seen.constraints == {OOM: 1.0}
    assert study.trials[0].state is TrialState.FAIL


def test_tpe_avoids_what_ran_out_of_memory() -> None:
    """Half of the space does not fit; the sampler learns it though those trials have no value."""

    def fits(learn: bool) -> int:
        study = open_study(
            "one",
            memory(),
            ("maximize",),
            optuna.samplers.TPESampler(seed=0, n_startup_trials=10),
            optuna.pruners.NopPruner(),
        )
        good = 0
        for _ in range(60):
            trial = study.ask()
            size = trial.suggest_float("size", 0, 1)
            if size < 0.3:
                study.tell(trial, size)
                good += 1
                continue
            trial.set_user_attr(OOM, True)
            trial.set_constraint(OOM, 1.0)
            study.tell(trial, state=TrialState.FAIL)
            if learn:
                study.learn_oom(study.trials[trial.number])
        return good

    assert fits(learn=True) > fits(learn=False)


def accepts_x(key: str, _distribution: BaseDistribution) -> bool:
    return key == "x"


def test_a_warm_start_is_known_to_the_sampler_and_to_nobody_else(tmp_path: Path) -> None:
    store = memory()
    source = a_study(store)
    for value in (0.1, 0.9):
        trial = source.ask()
        trial.suggest_float("x", 0, 1)
        trial.suggest_float("y", 0, 1)
        trial.report(value, 0)
        source.tell(trial, value)
    finish(source, None, "FAIL")
    study = open_study(
        "two", store, ("maximize",), optuna.samplers.RandomSampler(), optuna.pruners.NopPruner()
    )
    assert warm_start(study, source, accepts_x) == 2
    assert warm_start(study, source, accepts_x) == 0
    assert [set(trial.params) for trial in study.trials] == [{"x"}, {"x"}]
    assert [trial.value for trial in study.trials] == [0.1, 0.9]
    assert all(not trial.intermediate_values for trial in study.trials)
    assert study.trials[1].user_attrs[WARM_START] == "one:1"
    status = StudyStatus(study, tmp_path)
    status.refresh()
    assert (status.counted, status.summary().rows, status.best) == (0, (), None)
    assert finish(study, 0.2) == 2


def test_a_warm_start_that_teaches_nothing_is_refused() -> None:
    store = memory()
    source = a_study(store)
    finish(source, 0.5)
    study = open_study(
        "two", store, ("maximize",), optuna.samplers.RandomSampler(), optuna.pruners.NopPruner()
    )
    with pytest.raises(ConfigError, match="no complete trial with a parameter"):
        warm_start(study, source, lambda _key, _distribution: False)


def test_starting_points_go_one_by_one_after_what_was_interrupted() -> None:
    study = a_study()
    left = study.ask()
    left.suggest_float("x", 0, 1)
    left.set_user_attr(FOLDER, "trials/0000")
    points = [{"x": 0.5}, {"x": 0.25}]
    requeue_interrupted(study, dead=True)
    tried = []
    for _ in range(4):
        enqueue_next(study, points)
        trial = study.ask()
        tried.append(trial.suggest_float("x", 0, 1))
        study.tell(trial, 0.0)
    assert tried[:3] == [left.params["x"], 0.5, 0.25]
    # the same command again: they were tried
    enqueue_next(study, [{"x": 0.5}, {"x": 0.25}])
    assert not study.get_trials(states=(TrialState.WAITING,))
