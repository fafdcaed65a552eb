"""Two controllers, one study on a real PostgreSQL server; some of them die."""

import signal
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from search.controllers import at, await_line, check_finished, controller, sweep, trials_of
from servers import postgres

from sweeper.errors import Outage
from sweeper.search.stores.opening import open_store
from sweeper.search.stores.server import ServerStore

pytestmark = pytest.mark.slow

TWENTY = ("x=interval(0,1)", "hydra.sweeper.n_trials=20", "hydra.sweeper.heartbeat_interval=1")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address


def started(printed: str) -> int:
    return printed.count(" of 20 started")


@pytest.mark.more
def test_two_controllers_share_the_total_and_a_third_finds_nothing_to_do(
    url: str, tmp_path: Path
) -> None:
    arguments = (*TWENTY, *at(url, "shared"), "pause=0.07")
    with controller(tmp_path, *arguments) as one, controller(tmp_path, *arguments) as other:
        printed = [process.communicate()[0] for process in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0], printed
    assert all(map(started, printed)), printed
    trials = trials_of(url, "shared")
    assert len(trials) == sum(map(started, printed)) == 20
    check_finished(tmp_path, trials, 20)
    code, late = sweep(tmp_path, *arguments)
    assert code == 0, late
    assert "20 of 20 done, nothing left to run" in late
    assert started(late) == 0
    assert len(trials_of(url, "shared")) == 20


@pytest.mark.more
def test_what_a_killed_controller_left_is_tried_again_by_the_other(
    url: str, tmp_path: Path
) -> None:
    arguments = (*TWENTY, *at(url, "killed"), "pause=0.07")
    with controller(tmp_path, *arguments) as survivor, controller(tmp_path, *arguments) as victim:
        await_line(victim, "step 2")
        victim.send_signal(signal.SIGKILL)
        printed, _ = survivor.communicate()
        assert survivor.returncode == 0, printed
    assert "was left by a controller that died; it is tried again" in printed
    trials = trials_of(url, "killed")
    assert len(trials) > 20
    check_finished(tmp_path, trials, 20)


@pytest.mark.more
def test_a_controller_that_died_before_its_trials_first_heartbeat_is_noticed(
    url: str, tmp_path: Path
) -> None:
    arguments = ("x=interval(0,1)", "hydra.sweeper.heartbeat_interval=1", *at(url, "silent"))
    code, printed = sweep(tmp_path, *arguments, "hydra.sweeper.n_trials=1")
    assert code == 0, printed
    # what is left by a controller that is killed right after it has asked for a trial
    storage = optuna.storages.RDBStorage(url)
    storage.create_new_trial(storage.get_study_id_from_name("silent"))
    storage.engine.dispose()
    code, printed = sweep(tmp_path, *arguments, "hydra.sweeper.n_trials=2")
    assert code == 0, printed
    trials = trials_of(url, "silent")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    check_finished(tmp_path, trials, 2)


@pytest.mark.more
def test_a_controller_that_was_only_asleep_gives_up_what_another_has_taken(
    url: str, tmp_path: Path
) -> None:
    arguments = (*TWENTY, *at(url, "asleep"), "pause=0.07")
    with controller(tmp_path, *arguments) as awake, controller(tmp_path, *arguments) as sleeper:
        await_line(sleeper, "step 1")
        sleeper.send_signal(signal.SIGSTOP)
        await_line(awake, "was left by a controller that died")
        sleeper.send_signal(signal.SIGCONT)
        printed = [process.communicate()[0] for process in (awake, sleeper)]
        assert awake.returncode == 0, printed
        # one that was stopped within a transaction finds that it was ended
        assert sleeper.returncode == 0 or "was lost: " in printed[1], printed
        assert "this should not happen" not in printed[1]
    check_finished(tmp_path, trials_of(url, "asleep"), 20)


def test_a_controller_that_is_stopped_within_a_transaction_loses_it(url: str) -> None:
    store = open_store(url, "stopped", 60)
    assert isinstance(store, ServerStore)
    try:
        with store._database.engine.connect() as connection:
            limit = connection.exec_driver_sql("show idle_in_transaction_session_timeout")
            assert limit.scalar() == "1min"
    finally:
        store.close()


def test_a_connection_that_the_server_closed_is_named(url: str) -> None:
    store = open_store(url, "closed", 60)
    assert isinstance(store, ServerStore)
    engine = store._database.engine
    others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
    try:
        with engine.connect() as waiting:
            waiting.exec_driver_sql("select 1")
        with store._engine.connect() as other:  # the pool replaces what waited in it
            other.exec_driver_sql(f"{others} and backend_type = 'client backend'")
        with engine.connect() as connection:
            number = connection.exec_driver_sql("select pg_backend_pid()").scalar()
            with store._engine.connect() as other:
                other.exec_driver_sql(f"select pg_terminate_backend({number})")
            with pytest.raises(Outage, match=r"connection to postgresql.* was lost: .*; see"):
                connection.exec_driver_sql("select 1")
    finally:
        store.close()
