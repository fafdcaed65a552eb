"""A shared store whose server is restarted, whose connections end, whose answers are lost."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import optuna
import psycopg
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from servers import PostgresServer, postgres_server
from tcp_proxy import tcp_proxy

from sweeper.errors import Outage
from sweeper.search.queue import requeue
from sweeper.search.stores import shared_storage
from sweeper.search.stores.exclusive import GateLost
from sweeper.search.stores.heartbeats import Heartbeats
from sweeper.search.stores.opening import open_store
from sweeper.search.stores.server import ServerStore

# Optuna has no heartbeats for trials that are asked for by hand; nothing here needs them
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")

CLOSE_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where pid <> pg_backend_pid() and backend_type = 'client backend'"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@contextmanager
def opened(url: str, name: str, patience: float = 600) -> Iterator[tuple[ServerStore, list[str]]]:
    """The store of study ``name``, and what it says to a person."""
    store = open_store(url, name, 60, patience)
    assert isinstance(store, ServerStore)
    said: list[str] = []
    store.say = said.append
    optuna.create_study(study_name=name, storage=store.storage)
    try:
        yield store, said
    finally:
        store.close()


def close_connections(server: PostgresServer) -> None:
    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        connection.execute(CLOSE_OTHERS)


def test_behind_a_lost_gate_nothing_is_written(server: PostgresServer) -> None:
    with opened(server.url, "gate") as (store, _):
        study = optuna.load_study(study_name="gate", storage=store.storage)
        with store.gate():
            close_connections(server)
            with pytest.raises(GateLost):
                study.ask()
            with pytest.raises(GateLost):
                study.set_user_attr("written", "over another connection")
        assert study.trials == []
        assert study.user_attrs == {}
        with store.gate():
            study.ask()
        assert len(study.trials) == 1


def test_work_behind_the_gate_begins_again(server: PostgresServer) -> None:
    with opened(server.url, "again") as (store, _):
        study = optuna.load_study(study_name="again", storage=store.storage)
        with store.gate():
            trial = study.ask()
        times = []

        def work() -> None:
            times.append(1)
            requeue(study, study.trials[trial.number])
            if len(times) == 1:
                close_connections(server)
            requeue(study, study.trials[trial.number])

        store.behind_gate(work)
        assert len(times) == 2
        assert [one.state for one in study.trials] == [TrialState.RUNNING, TrialState.WAITING]


def test_a_result_whose_answer_was_lost_is_counted_once(server: PostgresServer) -> None:
    with (
        tcp_proxy(server.port) as proxy,
        opened(server.url.replace(str(server.port), str(proxy.port)), "answer") as (store, _),
    ):
        study = optuna.load_study(study_name="answer", storage=store.storage)
        lost: list[bytes] = []

        def loses(request: bytes) -> bool:
            if b"COMMIT" in request and not lost:
                lost.append(request)
                return True
            return False

        with store.gate():
            trial = study.ask()
        trial.report(0.5, 1)
        proxy.loses = loses
        study.tell(trial, 0.25)
        assert lost
        (known,) = study.trials
        assert (known.state, known.value) == (TrialState.COMPLETE, 0.25)
        with pytest.raises(ValueError, match="Cannot tell a COMPLETE trial"):
            study.tell(trial, 0.75)


def test_a_server_that_is_restarted_is_waited_for(server: PostgresServer) -> None:
    with opened(server.url, "restarted") as (store, said):
        study = optuna.load_study(study_name="restarted", storage=store.storage)
        server.stop()
        asked = threading.Event()

        def start(text: str) -> None:
            said.append(text)
            asked.set()

        store.say = start
        restart = threading.Thread(target=lambda: asked.wait() and server.start())
        restart.start()
        study.set_user_attr("kept", 1)
        restart.join()
        assert study.user_attrs == {"kept": 1}
        shown = "***@127.0.0.1"
        assert [shown in text for text in said] == [True, True], said
        assert "does not answer (" in said[0]
        assert "waits for it, at most 600 s" in said[0]
        assert "answers again" in said[1]


@pytest.mark.parametrize(("patience", "ends"), [(0.01, False), (600, True)])
def test_the_wait_ends_in_time_and_with_the_sweep(
    server: PostgresServer, patience: float, ends: bool
) -> None:
    with opened(server.url, f"patience {patience}", patience) as (store, said):
        study = optuna.load_study(study_name=f"patience {patience}", storage=store.storage)
        with store.gate():
            trial = study.ask()
        store.ends = lambda: ends
        server.stop()
        try:
            with pytest.raises(Outage, match=r"has not answered for \d+ s: .*; see that the serv"):
                study.set_user_attr("kept", 1)
            store.storage.record_heartbeat(trial._trial_id)  # its thread must not end
            assert len(said) == 1
        finally:
            server.start()
        study.set_user_attr("kept", 2)
        assert study.user_attrs == {"kept": 2}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_dead_is_what_shows_no_heartbeat_for_two_intervals() -> None:
    clock = Clock()
    heartbeats = Heartbeats(10, clock)
    # by the server's clock all of them are old, and one lies in the future
    first = datetime(2020, 1, 1)
    beats = {1: first, 2: first, 3: datetime(2100, 1, 1), 4: None}
    assert heartbeats.dead(beats, outages=0) == [4]
    clock.now += 20
    assert heartbeats.dead({1: first, 2: first, 3: beats[3]}, outages=0) == []
    clock.now += 1
    # a clock that was set back is no death either
    later = {1: first, 2: first - timedelta(hours=1), 3: beats[3]}
    assert heartbeats.dead(later, outages=0) == [1, 3]


def test_an_outage_makes_nobody_dead() -> None:
    clock = Clock()
    heartbeats = Heartbeats(10, clock)
    beats = {1: datetime(2020, 1, 1)}
    heartbeats.dead(beats, outages=0)
    clock.now += 300
    assert heartbeats.dead(beats, outages=1) == []
    clock.now += 21
    assert heartbeats.dead(beats, outages=1) == [1]


def test_a_look_reads_what_was_written_and_what_others_began(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 30 trials that run each look would read all reports; counting needs them not."""
    name, asked = "looks", list[set[int]]()
    plain = RDBStorage._get_trials

    def get_trials(storage: RDBStorage, study: int, **more: Any) -> list[FrozenTrial]:
        asked.append(set(more["included_trial_ids"]))
        return plain(storage, study, **more)

    with opened(server.url, name) as (here, _), opened(server.url, f"{name} 2") as (there, _):
        mine = optuna.load_study(study_name=name, storage=here.storage)
        theirs = optuna.load_study(study_name=name, storage=there.storage)
        monkeypatch.setattr(shared_storage, "_LOOK_SECONDS", math.inf)
        mine.add_trial(optuna.create_trial(state=TrialState.WAITING))
        running = [mine.ask() for _ in range(30)]
        assert len(theirs.get_trials(deepcopy=False)) == 30
        mine.get_trials(deepcopy=False)
        monkeypatch.setattr(RDBStorage, "_get_trials", get_trials)
        running[3].report(0.5, 1)
        seen = mine.get_trials(deepcopy=False)
        assert asked == [{running[3]._trial_id}]
        assert seen[3].intermediate_values == {1: 0.5}
        # what another controller takes of the queue, begins and ends
        theirs.add_trial(optuna.create_trial(state=TrialState.WAITING))
        assert mine.get_trials(deepcopy=False)[30].state is TrialState.WAITING
        assert theirs.ask().number == 30
        began = theirs.ask()
        states = [trial.state for trial in mine.get_trials(deepcopy=False)[30:]]
        assert states == [TrialState.RUNNING, TrialState.RUNNING]
        theirs.tell(began, 0.5)
        assert mine.get_trials(deepcopy=False)[31].state is TrialState.RUNNING
        monkeypatch.setattr(shared_storage, "_LOOK_SECONDS", 0.0)
        assert mine.get_trials(deepcopy=False)[31].state is TrialState.COMPLETE
        kept = here.storage.get_all_trials(mine._study_id)
        assert kept == there.storage.get_all_trials(mine._study_id)
