"""Optuna's storage on a server: what a lost connection has interrupted is done again."""

import contextlib
import functools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Concatenate, cast

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, text

from sweeper.errors import Outage
from sweeper.search.stores.attempts import Held, Operation, P, T, again, once
from sweeper.search.stores.exclusive import GateLost

_HEARTBEATS = text(
    "select number, heartbeat from trials "
    "join studies on studies.study_id = trials.study_id "
    "left join trial_heartbeats on trial_heartbeats.trial_id = trials.trial_id "
    "where study_name = :name and state = 'RUNNING'"
)

_LOOK_SECONDS = 1.0
"""How old what other controllers reported may be; what they began is read at each look."""


def _writing(operation: Operation[P, T]) -> Callable[Concatenate["SharedStorage", P], T]:
    """Let an operation that writes to a trial be done again, and the trial be read after it."""
    done = again(operation)

    def writing(self: "SharedStorage", /, *words: P.args, **named: P.kwargs) -> T:
        try:
            return done(self, *words, **named)
        finally:  # also where the trial was found ended
            self.written.add(cast("int", words[0] if words else named["trial_id"]))

    return functools.wraps(operation)(writing)


class SharedStorage(_CachedStorage):
    """Done again is what may be done twice: reading, and writing a value under its key.

    A second attempt to write a parameter that is there already is no error to Optuna. New trials
    and studies are made behind the gate only.
    """

    def __init__(self, database: RDBStorage) -> None:
        super().__init__(database)
        self._database = database
        self.held = Held()
        self.written: set[int] = set()
        """Ids of trials that were written here since they were read."""
        self._looked: dict[int, float] = {}
        self._reading = threading.Lock()

    @contextlib.contextmanager
    def only_over(self, connection: Connection) -> Iterator[None]:
        """Within the block this thread's operations need ``connection``, and use no other.

        So what is done behind the lock that it holds is undone where that is lost.
        """
        sessions = self._database.scoped_session
        sessions.remove()
        sessions(bind=connection)
        self.held.connection = connection
        try:
            yield
        finally:
            self.held.connection = None
            sessions.remove()

    create_new_study = once(_CachedStorage.create_new_study)
    create_new_trial = once(_CachedStorage.create_new_trial)
    delete_study = once(_CachedStorage.delete_study)

    set_study_user_attr = again(_CachedStorage.set_study_user_attr)
    set_study_system_attr = again(_CachedStorage.set_study_system_attr)
    set_trial_param = _writing(_CachedStorage.set_trial_param)
    set_trial_user_attr = _writing(_CachedStorage.set_trial_user_attr)
    set_trial_system_attr = _writing(_CachedStorage.set_trial_system_attr)
    set_trial_intermediate_value = _writing(_CachedStorage.set_trial_intermediate_value)

    get_study_id_from_name = again(_CachedStorage.get_study_id_from_name)
    get_study_name_from_id = again(_CachedStorage.get_study_name_from_id)
    get_study_directions = again(_CachedStorage.get_study_directions)
    get_study_user_attrs = again(_CachedStorage.get_study_user_attrs)
    get_study_system_attrs = again(_CachedStorage.get_study_system_attrs)
    get_all_studies = again(_CachedStorage.get_all_studies)
    get_trial_id_from_study_id_trial_number = again(
        _CachedStorage.get_trial_id_from_study_id_trial_number
    )
    get_best_trial = again(_CachedStorage.get_best_trial)
    get_trial = again(_CachedStorage.get_trial)
    get_all_trials = again(_CachedStorage.get_all_trials)

    _end_trial = _writing(_CachedStorage.set_trial_state_values)
    _beat = again(_CachedStorage.record_heartbeat)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """As Optuna's; what the trial has already was written by a first attempt.

        The answer to that was lost with its connection.
        """
        try:
            return self._end_trial(trial_id, state, values)
        except UpdateFinishedTrialError:
            known = self.get_trial(trial_id)
            if known.state is state and list(known.values or ()) == list(values or ()):
                return True
            raise

    def record_heartbeat(self, trial_id: int) -> None:
        """As Optuna's, whose thread must not end: what a server lacks, its next call writes."""
        try:
            self._beat(trial_id)
        except GateLost:
            raise
        except Outage:
            return

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """As Optuna's, but for trials that run and that nobody here has written to.

        Those are read once a second: each look would read all that thousands of them reported.
        Counting needs no more: a trial counts as long as it runs, and when it has ended.
        """
        with self._reading:
            known = self._studies.get(study_id)
            now = time.monotonic()
            if known is None or now - self._looked.get(study_id, -math.inf) >= _LOOK_SECONDS:
                self.written.clear()
                super()._read_trials_from_remote_storage(study_id)
                self._looked[study_id] = now
                return
            unfinished = known.unfinished_trial_ids
            due = {one for one in unfinished if one in self.written or self._waits(one)}
            others = unfinished - due
            # what was made since has a higher id: all are made behind the gate
            known.last_finished_trial_id = max(unfinished | {known.last_finished_trial_id})
            known.unfinished_trial_ids, asked = set(due), self.written & due
            self.written -= asked
            try:
                super()._read_trials_from_remote_storage(study_id)
            except BaseException:
                self.written |= asked
                raise
            finally:
                known.unfinished_trial_ids |= others

    def _waits(self, trial_id: int) -> bool:
        """Whether a trial was queued when it was read: another controller may have taken it."""
        study_id, number = self._trial_id_to_study_id_and_number[trial_id]
        return self._studies[study_id].trials[number].state is TrialState.WAITING

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        """None: Optuna asks before each trial, and judges by the server's clock."""
        return []

    @once
    def heartbeats(self, study_name: str) -> dict[int, datetime | None]:
        """The last heartbeat of each running trial by number, None where it never had one."""
        with self._database.scoped_session() as session:
            rows = session.execute(_HEARTBEATS, {"name": study_name}).all()
            session.commit()
        return dict(rows)
