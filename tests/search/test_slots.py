"""Slots with work that costs nothing, in this process: no Hydra, no waiting but for events."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, GridSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from patience import PATIENCE
from search.studies import memory

from sweeper.errors import (
    ConfigError,
    MachineFault,
    Outage,
    SweeperError,
    TrackerError,
    TrialFailed,
    TrialPruned,
)
from sweeper.execute.executor import Channel, Executor, Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import (
    Advance,
    Attribute,
    Cause,
    Constraint,
    EpochReport,
    State,
    StudySummary,
    TrialRow,
    TrialSpec,
)
from sweeper.search.attributes import (
    ATTEMPTS,
    CAUSE,
    FOLDER,
    LOG_TAIL,
    OOM,
    REASON,
    RETRY_OF,
    SECONDS,
)
from sweeper.search.hooks import StudyHooks
from sweeper.search.running import filled_slots
from sweeper.search.running.slots import Slots
from sweeper.search.session import Session
from sweeper.search.settings.defaults import SAMPLERS
from sweeper.search.settings.samplers import build_sampler
from sweeper.search.space.search_space import parse_space
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import Stopping, StopSignal
from sweeper.search.study import Study, open_study
from sweeper.search.trials.trial_plan import TrialPlan

Task = Callable[[TrialSpec, Channel], Any]

"""Seconds after which a test gives up on an event that must come."""


def half(spec: TrialSpec, _channel: Channel) -> float:
    return (float(spec.params["x"]) - 0.5) ** 2  # type: ignore[arg-type]


class Composes:
    """Stands in for Hydra: the parameters are the configuration."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trial(self, _space: object, params: Mapping[str, Any]) -> DictConfig:
        sweep = {"dir": str(self._folder), "subdir": "${hydra.job.num}"}
        return OmegaConf.create({**params, "hydra": {"job": {"num": None}, "sweep": sweep}})


class Heard:
    """Hooks and progress that keep what they are reported, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.done = threading.Event()
        """Set when a trial has ended."""

    def note(self, text: str) -> None:
        self.events.append(("note", text))

    def slot_added(self, place: str) -> None:
        self.events.append(("added", place))

    def trial_started(self, slot: int, spec: TrialSpec) -> None:
        self.events.append(("started", slot, spec))

    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None:
        self.events.append(("epoch", slot, spec.number, report))

    def advance(self, slot: int, spec: TrialSpec, advance: Advance) -> None:
        self.events.append(("advance", slot, spec.number, advance))

    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None:
        self.events.append(("finished", slot, row))
        self.done.set()

    def close(self) -> None:
        pass

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]


@dataclass
class Sweep:
    """A study and its slots; the keywords are those of :class:`Stopping`."""

    task: Task
    n_slots: int = 1
    params: Mapping[str, Any] = field(default_factory=lambda: {"x": "interval(0,1)"})
    hooks: StudyHooks = field(default_factory=StudyHooks)
    points: Sequence[dict[str, Any]] = ()
    retries: Mapping[Cause, int] = field(default_factory=dict)
    custom: Callable[[optuna.Trial], None] | None = None
    sampler: BaseSampler = field(default_factory=lambda: RandomSampler(seed=1))
    pruner: optuna.pruners.BasePruner = field(default_factory=optuna.pruners.NopPruner)
    directions: tuple[str, ...] = ("minimize",)
    stops: Mapping[str, Any] = field(default_factory=dict)
    executor: Executor = field(default_factory=InlineExecutor)

    def __post_init__(self) -> None:
        store = memory()
        folder = Path("sweep").absolute()
        self.received = Heard()
        self.study: Study = open_study("one", store, self.directions, self.sampler, self.pruner)
        self.status = StudyStatus(self.study, folder)
        self.stopping = Stopping(**{"n_trials": None, **self.stops})
        plan = TrialPlan(
            parse_space(OverridesParser.create(), self.params, (), self._never),
            Composes(folder),  # type: ignore[arg-type]
            self._make_job,  # type: ignore[arg-type]
            self.custom,
            self.retries,
        )
        session = Session(
            self.study,
            store,
            self.status,
            self.executor,
            self.hooks,
            self.received,
            StopSignal(),
        )
        placements = [Placement()] * self.n_slots
        self.slots = Slots(session, plan, self.stopping, self.points, placements)

    @staticmethod
    def _never(_overrides: tuple[str, ...]) -> DictConfig:
        raise AssertionError("composed for nothing")

    def _make_job(self, spec: TrialSpec, _config: DictConfig) -> Callable[[Channel], Any]:
        def job(channel: Channel) -> tuple[float, ...]:
            value = self.task(spec, channel)
            return value if isinstance(value, tuple) else (value,)

        return job

    def run(self) -> "Sweep":
        self.slots.run()
        return self

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials()

    @property
    def states(self) -> list[str]:
        return [trial.state.name for trial in self.trials]

    def reasons(self) -> list[str | None]:
        return [trial.user_attrs.get(REASON) for trial in self.trials]


class Controlled:
    """A task whose trials run until the test lets them go."""

    def __init__(self, n_trials: int) -> None:
        self.started = [threading.Event() for _ in range(n_trials)]
        self._released = [threading.Event() for _ in range(n_trials)]

    def __call__(self, spec: TrialSpec, channel: Channel) -> float:
        self.started[spec.number].set()
        assert self._released[spec.number].wait(PATIENCE)
        if channel.report(EpochReport(0, 0.0)).stop:
            raise TrialPruned("reported to")
        return 1.0 - spec.number

    def release(self, *numbers: int) -> None:
        for number in numbers:
            self._released[number].set()

    def wait(self, *numbers: int) -> None:
        for number in numbers:
            assert self.started[number].wait(PATIENCE), f"trial {number} does not start"


@contextmanager
def running(sweep: Sweep, raises: type[BaseException] | None = None) -> Iterator[None]:
    """Run ``sweep`` beside the block, and see that it ends."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            sweep.run()
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    except BaseException:
        sweep.slots.interrupted = True  # or a test that fails would wait for each trial
        raise
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [type(fault) for fault in faults] == ([raises] if raises else [])


def test_a_slot_takes_its_next_trial_the_moment_it_is_free() -> None:
    task = Controlled(6)
    with running(Sweep(task, n_slots=2, stops={"n_trials": 6})):
        task.wait(0, 1)
        for ends, begins in ((1, 2), (2, 3), (3, 4)):  # trial 0 runs all the while
            assert not task.started[begins].is_set()
            task.release(ends)
            task.wait(begins)
        task.release(0)
        task.wait(5)
        task.release(4, 5)


def test_no_trial_begins_that_the_total_has_no_room_for() -> None:
    task = Controlled(3)
    sweep = Sweep(task, n_slots=3, stops={"n_trials": 2})
    with running(sweep):
        task.wait(0, 1)
        task.release(0, 1)
    assert sweep.states == ["COMPLETE", "COMPLETE"]
    assert not task.started[2].is_set()


def test_a_slot_without_room_steps_in_when_a_trial_is_lost() -> None:
    begun = threading.Barrier(2)

    def task(spec: TrialSpec, _channel: Channel) -> float:
        if spec.number < 2:  # both slots are busy, so the third can only wait
            begun.wait(PATIENCE)
        if spec.number == 0:
            raise TrialFailed("gone", cause=Cause.KILLED)
        return 0.0

    sweep = Sweep(task, n_slots=3, stops={"n_trials": 2}, retries={Cause.KILLED: 1}).run()
    assert sorted(sweep.states) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert sweep.status.counted == 2


@given(st.integers(1, 4), st.integers(1, 12), st.data())
@settings(max_examples=25, deadline=None)
def test_the_total_is_met_exactly_whatever_fails(
    n_slots: int, n_trials: int, data: st.DataObject
) -> None:
    ends: list[Cause | None] = data.draw(
        st.lists(st.sampled_from([None, *Cause]), min_size=3 * n_trials, max_size=3 * n_trials)
    )
    retries = {cause: data.draw(st.integers(0, 2), str(cause)) for cause in Cause}

    def task(spec: TrialSpec, channel: Channel) -> float:
        cause = ends[spec.number % len(ends)]
        if cause is None:
            return half(spec, channel)
        raise TrialFailed("failed", cause=cause)

    sweep = Sweep(task, n_slots=n_slots, retries=retries, stops={"n_trials": n_trials}).run()
    rows = sweep.status.summary().rows
    assert sum(row.counts for row in rows) == sweep.status.counted == n_trials
    assert {trial.state for trial in sweep.trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    retried = [trial for trial in sweep.trials if RETRY_OF in trial.user_attrs]
    assert len(retried) == len(rows) - n_trials
    for trial in retried:
        assert trial.params == sweep.trials[trial.user_attrs[RETRY_OF]].params
    for trial in sweep.trials:
        attempts = trial.user_attrs.get(ATTEMPTS, {})
        assert all(attempts[cause] <= retries[Cause(cause)] for cause in attempts)


@pytest.mark.parametrize("n_slots", [1, 2])
def test_what_another_controller_closed_before_it_died_is_tried_again(n_slots: int) -> None:
    def task(spec: TrialSpec, channel: Channel) -> float:
        if spec.number == 0:
            other = sweep.study.ask({"x": FloatDistribution(0, 1)})
            other.set_user_attr(FOLDER, str(other.number))
            sweep.study.tell(other, state=TrialState.FAIL)
            closed.append(other.number)
        return half(spec, channel)

    closed: list[int] = []
    sweep = Sweep(task, n_slots, stops={"n_trials": 4})
    sweep.run()
    assert sorted(sweep.states) == ["COMPLETE"] * 4 + ["FAIL"]
    (again,) = [trial for trial in sweep.trials if trial.user_attrs.get(RETRY_OF) == closed[0]]
    assert again.params == sweep.trials[closed[0]].params
    assert ("note", f"trial {closed[0]} was left by a controller that died; it is tried again") in (
        sweep.received.events
    )


def test_a_trial_that_another_controller_has_just_closed_ends_no_sweep() -> None:
    """It was taken for dead, and nothing stands for it yet."""

    def task(spec: TrialSpec, channel: Channel) -> float:
        if spec.number == 0:
            sweep.study.tell(0, state=TrialState.FAIL)
        return half(spec, channel)

    sweep = Sweep(task, stops={"n_trials": 2})
    sweep.run()
    assert sweep.states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert sweep.trials[1].user_attrs[RETRY_OF] == 0


def test_each_cause_has_retries_of_its_own() -> None:
    causes = [Cause.KILLED, Cause.OOM, Cause.KILLED, Cause.KILLED]

    def task(spec: TrialSpec, _channel: Channel) -> float:
        if spec.number < len(causes):
            raise TrialFailed("no", log_tail="last words", cause=causes[spec.number])
        return 0.0

    retries = {Cause.KILLED: 2, Cause.OOM: 1}
    sweep = Sweep(task, retries=retries, stops={"n_trials": 2}).run()
    assert sweep.states == ["FAIL"] * 4 + ["COMPLETE"]
    assert sweep.reasons() == [*["no; tried again"] * 3, "no", None]
    attempts = [trial.user_attrs.get(ATTEMPTS) for trial in sweep.trials]
    assert attempts == [
        None,
        {"killed": 1},
        {"killed": 1, "oom": 1},
        {"killed": 2, "oom": 1},
        None,
    ]
    assert [trial.params for trial in sweep.trials[1:4]] == [sweep.trials[0].params] * 3
    assert sweep.trials[4].params != sweep.trials[0].params
    assert [trial.user_attrs.get(CAUSE) for trial in sweep.trials[:4]] == causes
    assert sweep.trials[0].user_attrs[LOG_TAIL] == "last words"
    assert sweep.trials[1].user_attrs[OOM] is True
    assert [trial.constraints for trial in sweep.trials[:2]] == [{}, {OOM: 1.0}]


def test_a_trial_that_is_tried_again_knows_the_folders_of_those_before_it() -> None:
    known: list[tuple[Path, ...]] = []

    def task(spec: TrialSpec, _channel: Channel) -> float:
        known.append(spec.again)
        if len(known) < 3:
            raise TrialFailed("gone", cause=Cause.KILLED)
        return 0.0

    Sweep(task, retries={Cause.KILLED: 2}, stops={"n_trials": 2}).run()
    zero, one = (Path("sweep").absolute() / str(number) for number in range(2))
    assert known == [(), (zero,), (one, zero), ()]


def test_a_failure_of_no_process_is_not_tried_again() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        raise SweeperError("no weights")

    retries = dict.fromkeys(Cause, 1)
    sweep = Sweep(task, retries=retries, stops={"n_trials": 1}).run()
    assert sweep.reasons() == ["no weights"]


def test_what_is_remembered_of_a_failure_is_not_without_end() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        raise TrialFailed("r" * 5000, log_tail="x" * 9000 + "end")

    (trial,) = Sweep(task, stops={"n_trials": 1}).run().trials
    assert trial.user_attrs[REASON] == "r" * 1000 + "..."
    assert trial.user_attrs[LOG_TAIL] == "x" * 7997 + "end"


def fails(_spec: TrialSpec, _channel: Channel) -> float:
    raise TrialFailed("bad")


@pytest.mark.parametrize("n_slots", [1, 3])
@pytest.mark.parametrize(
    ("task", "stops", "reason"),
    [
        (half, {"target": 1.0}, "reached the target 1: "),
        (half, {"patience": 1}, "1 trials in a row were no better"),
        (half, {"timeout": 5.0}, "the timeout of 5 s has passed"),
        (fails, {"n_trials": 50, "max_failure_rate": 0.0}, "=0 allows; the last: bad"),
    ],
)
def test_each_stop_condition_ends_the_study(
    n_slots: int, task: Task, stops: Mapping[str, Any], reason: str
) -> None:
    ticks = itertools.count()
    sweep = Sweep(task, n_slots=n_slots, stops={**stops, "clock": lambda: next(ticks)}).run()
    assert reason in sweep.stopping.reason
    assert 0 < len(sweep.trials) < 20
    assert {"RUNNING", "WAITING"}.isdisjoint(sweep.states)


def test_trials_that_run_when_the_study_is_done_are_completed() -> None:
    task = Controlled(3)
    sweep = Sweep(task, n_slots=2, stops={"target": 0.0})
    with running(sweep):
        task.wait(0, 1)
        task.release(1)  # its value is the target
        assert sweep.received.done.wait(PATIENCE)
        task.release(0)
    assert sweep.states == ["COMPLETE", "COMPLETE"]
    assert not task.started[2].is_set()


@pytest.mark.parametrize("n_slots", [1, 2, 5])
@pytest.mark.parametrize("waits", [True, False])
def test_brute_force_tries_each_point_and_ends(n_slots: int, waits: bool) -> None:
    params = {"a": "choice(x,y,z)", "b": {"when": {"a": "x"}, "value": "range(1,4)"}}
    config = SAMPLERS["bruteforce"] | {"seed": 1, "avoid_premature_stop": waits}
    sweep = Sweep(lambda *_: 1.0, n_slots, params, sampler=build_sampler(config, dict)).run()
    points = [tuple(trial.params.items()) for trial in sweep.trials]
    known = {*((("a", "x"), ("b", b)) for b in (1, 2, 3)), (("a", "y"),), (("a", "z"),)}
    # Optuna may take points that still run for the last ones, unless reported to wait for them
    assert set(points) <= known if n_slots > 1 and not waits else set(points) == known
    assert set(sweep.states) == {"COMPLETE"}
    assert sweep.study.exhausted
    if n_slots == 1:
        assert len(points) == 5


@pytest.mark.parametrize("n_slots", [1, 3])
def test_a_grid_tries_each_point_once_also_where_some_are_tried_again(n_slots: int) -> None:
    lost: set[object] = set()

    def task(spec: TrialSpec, _channel: Channel) -> float:
        if spec.params["x"] in (2, 3) and spec.params["x"] not in lost:
            lost.add(spec.params["x"])
            raise TrialFailed("gone", cause=Cause.KILLED)
        return 0.0

    sweep = Sweep(
        task,
        n_slots,
        {"x": "range(1,6)"},
        sampler=optuna.samplers.GridSampler({"x": [1, 2, 3, 4, 5]}, seed=1),
        retries={Cause.KILLED: 1},
        stops={"n_trials": 5},
    ).run()
    done = [trial.params["x"] for trial in sweep.trials if trial.state is TrialState.COMPLETE]
    assert sorted(done) == [1, 2, 3, 4, 5]
    assert sweep.states.count("FAIL") == 2


class Faulty(StudyHooks):
    """Hooks of which one raises at trial 1."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.closed: list[tuple[int, str]] = []

    def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        if self._where == "trial_started" and spec.number == 1:
            raise SweeperError("no server")
        return {}

    def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
        if self._where == "trial_finished" and row.number == 1:
            raise SweeperError("no server")

    def trial_interrupted(self, number: int, reason: str) -> None:
        self.closed.append((number, reason))


@pytest.mark.parametrize("where", ["trial_started", "trial_finished"])
@pytest.mark.parametrize("n_slots", [1, 3])
def test_a_fault_in_a_hook_ends_the_sweep(n_slots: int, where: str) -> None:
    sweep = Sweep(half, n_slots, hooks=Faulty(where), stops={"n_trials": 100})
    with pytest.raises(SweeperError, match="no server"):
        sweep.run()
    assert len(sweep.trials) < 10
    assert "RUNNING" not in sweep.states
    if where == "trial_started":  # no trial's fault: its parameters are tried again
        (again,) = [t for t in sweep.trials if t.user_attrs.get(RETRY_OF) == 1]
        assert again.state is TrialState.WAITING
        assert sweep.reasons()[1] is None


def test_a_fault_stops_the_trials_of_other_slots_at_their_next_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = Controlled(2)
    sweep = Sweep(task, n_slots=2, hooks=Faulty("trial_finished"), stops={"n_trials": 9})
    stopped, interrupt = threading.Event(), StopSignal.interrupt
    monkeypatch.setattr(
        StopSignal, "interrupt", lambda stop_signal: (interrupt(stop_signal), stopped.set())
    )
    with running(sweep, raises=SweeperError):
        task.wait(0, 1)
        task.release(1)
        assert stopped.wait(PATIENCE)
        task.release(0)
    assert sweep.states == ["FAIL", "COMPLETE", "WAITING"]


def test_each_trial_keeps_how_long_it_took() -> None:
    def task(spec: TrialSpec, _channel: Channel) -> float:
        if spec.number == 1:
            raise TrialPruned("hopeless")
        if spec.number == 2:
            raise TrialFailed("broken")
        return 0.0

    sweep = Sweep(task, stops={"n_trials": 3}).run()
    kept = [trial.user_attrs[SECONDS] for trial in sweep.trials]
    assert kept == [row.seconds for row in sweep.status.summary().rows]
    assert all(seconds >= 0 for seconds in kept)


@pytest.mark.parametrize("error", [MachineFault("no space"), TrackerError("no answer")], ids=str)
@pytest.mark.parametrize("n_slots", [1, 2])
def test_an_outage_ends_the_sweep_and_counts_nothing(n_slots: int, error: Outage) -> None:
    def task(spec: TrialSpec, _channel: Channel) -> float:
        raise error

    sweep = Sweep(task, n_slots, retries=dict.fromkeys(Cause, 2), stops={"n_trials": 9})
    with pytest.raises(type(error)):
        sweep.run()
    assert set(sweep.states) == {"FAIL", "WAITING"}
    assert len(sweep.trials) <= 2 * n_slots
    assert (sweep.status.counted, sweep.status.failed) == (0, 0)
    lost = [trial for trial in sweep.trials if trial.state is TrialState.FAIL]
    assert all(REASON not in trial.user_attrs for trial in lost)
    waiting = [trial for trial in sweep.trials if trial.state is TrialState.WAITING]
    assert {trial.user_attrs[RETRY_OF] for trial in waiting} == {trial.number for trial in lost}


def test_an_outage_is_what_is_raised_where_the_store_fails_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def task(spec: TrialSpec, _channel: Channel) -> float:
        monkeypatch.setattr(sweep.study, "add_trial", no_room)
        monkeypatch.setattr(sweep.study, "tell", no_room)
        raise MachineFault("the disk is full")

    def no_room(*_args: object, **_keywords: object) -> None:
        raise RuntimeError("database or disk is full")

    sweep = Sweep(task)
    with pytest.raises(MachineFault, match="the disk is full"):
        sweep.run()


def test_hooks_are_called_one_at_a_time_and_around_each_trial() -> None:
    class OneAtATime(StudyHooks):
        def __init__(self) -> None:
            self._lock = threading.Lock()
            self.began: list[int] = []
            self.ended: list[int] = []
            self.counts: list[int] = []

        def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
            assert config.x == spec.params["x"]
            assert config.hydra.job.num == spec.number
            with self._alone():
                self.began.append(spec.number)
            return {"run": f"run of {spec.number}"}

        def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
            with self._alone():
                assert row in summary.rows
                assert row.number in self.began
                self.ended.append(row.number)
                self.counts.append(len(summary.rows))

        @contextmanager
        def _alone(self) -> Iterator[None]:
            assert self._lock.acquire(blocking=False)
            yield
            self._lock.release()

    def task(spec: TrialSpec, channel: Channel) -> float:
        assert spec.context == {"run": f"run of {spec.number}"}
        return half(spec, channel)

    hooks = OneAtATime()
    Sweep(task, n_slots=4, hooks=hooks, stops={"n_trials": 60}).run()
    assert sorted(hooks.began) == sorted(hooks.ended) == list(range(60))
    assert hooks.counts == sorted(hooks.counts)
    assert hooks.counts[-1] == 60


def test_an_interrupt_stops_trials_at_their_report_and_keeps_their_parameters() -> None:
    task = Controlled(2)
    hooks = Faulty("nowhere")
    sweep = Sweep(task, n_slots=2, hooks=hooks, stops={"n_trials": 9})
    with running(sweep):
        task.wait(0, 1)
        sweep.slots.interrupt()
        task.release(0, 1)
    assert sweep.slots.interrupted
    assert sweep.states == ["FAIL", "FAIL", "WAITING", "WAITING"]
    assert sweep.reasons() == [None] * 4
    assert {t.user_attrs.get(RETRY_OF) for t in sweep.trials[2:]} == {0, 1}
    assert sorted(hooks.closed) == [(n, "the sweep was interrupted") for n in (0, 1)]
    assert sweep.status.counted == 0


def test_a_trial_without_reports_may_end_after_an_interrupt() -> None:
    inside = threading.Event()
    go = threading.Event()

    def task(_spec: TrialSpec, _channel: Channel) -> float:
        inside.set()
        assert go.wait(PATIENCE)
        return 0.25

    sweep = Sweep(task, stops={"n_trials": 9})
    with running(sweep):
        assert inside.wait(PATIENCE)
        sweep.slots.interrupt()
        go.set()
    assert [trial.value for trial in sweep.trials] == [0.25]


def test_a_trial_that_is_killed_by_an_interrupt_has_not_failed() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        sweep.slots.interrupt()
        raise TrialFailed("killed by its controller", cause=Cause.KILLED)

    sweep = Sweep(task, stops={"n_trials": 9})
    sweep.run()
    assert sweep.states == ["FAIL", "WAITING"]
    assert sweep.reasons() == [None, None]


def test_a_keyboard_interrupt_in_inline_work_ends_the_sweep_and_loses_nothing() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        raise KeyboardInterrupt

    sweep = Sweep(task, stops={"n_trials": 9})
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    assert sweep.states == ["FAIL", "WAITING"]
    assert sweep.slots.interrupted


def test_a_custom_space_adds_parameters_and_may_give_a_trial_up() -> None:
    def custom(trial: optuna.Trial) -> None:
        trial.suggest_float("+y", trial.params["x"], trial.params["x"] + 1)
        if trial.number == 0:
            raise optuna.TrialPruned("too wide")
        if trial.number == 1:
            raise optuna.TrialPruned

    specs: list[TrialSpec] = []

    def task(spec: TrialSpec, _channel: Channel) -> float:
        specs.append(spec)
        return 0.0

    sweep = Sweep(task, custom=custom, stops={"n_trials": 3}).run()
    assert sweep.states == ["PRUNED", "PRUNED", "COMPLETE"]
    assert sweep.reasons()[:2] == ["too wide", "custom_search_space gave it up"]
    (spec,) = specs
    assert list(spec.params) == ["x", "+y"]
    assert spec.overrides == (f"x={spec.params['x']}", f"+y={spec.params['+y']}")
    assert spec.folder == (Path("sweep") / "2").absolute()


FIXED = {"x": "interval(0,1)", "z": 3, "+name": "a", "reason": 1}


def test_a_custom_space_sees_what_is_fixed() -> None:
    seen = []

    def custom(trial: optuna.Trial) -> None:
        seen.append(dict(trial.user_attrs))

    sweep = Sweep(half, params=FIXED, custom=custom, stops={"n_trials": 1}).run()
    # an application's key that is called as one of ours does not make the trial look pruned
    assert seen == [{"z": 3, "+name": "a"}]
    assert sweep.states == ["COMPLETE"]


@pytest.mark.parametrize(("key", "name"), [("z", "z"), ("+z", "z"), ("name", "name")])
def test_a_custom_space_that_suggests_what_is_fixed_ends_the_sweep(key: str, name: str) -> None:
    def custom(trial: optuna.Trial) -> None:
        trial.suggest_float(key, 0, 1)

    sweep = Sweep(half, params=FIXED, custom=custom, stops={"n_trials": 2})
    with pytest.raises(ConfigError, match=f"custom_search_space suggests {name}, which is fixed"):
        sweep.run()


def test_a_search_space_that_fails_ends_the_sweep() -> None:
    def custom(_trial: optuna.Trial) -> None:
        raise ZeroDivisionError("one over none")

    sweep = Sweep(half, n_slots=2, custom=custom, stops={"n_trials": 9})
    with pytest.raises(ZeroDivisionError, match="one over none"):
        sweep.run()
    assert set(sweep.states) == {"FAIL", "WAITING"}  # its parameters are tried again


@pytest.mark.parametrize("n_slots", [1, 3])
def test_starting_points_go_first_one_of_each(n_slots: int) -> None:
    points = [{"x": 0.25}, {"x": 0.5}, {"x": 0.25}, {"x": 0.75}]
    sweep = Sweep(half, n_slots, points=points, stops={"n_trials": 5}).run()
    tried = [trial.params["x"] for trial in sweep.trials]
    assert tried[:3] == [0.25, 0.5, 0.75]
    assert len(tried) == 5


def test_reports_prune_and_the_reason_has_numbers() -> None:
    def task(spec: TrialSpec, channel: Channel) -> float:
        value = float(spec.number)
        decision = channel.report(EpochReport(0, value))
        if decision.stop:
            raise TrialPruned(decision.reason)
        return value

    pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    sweep = Sweep(task, pruner=pruner, stops={"n_trials": 3}).run()
    assert sweep.states == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert sweep.reasons()[2] == "median pruner: 2 at step 0, median 0.5"
    assert sweep.status.last(State.PRUNED) is not None
    assert [report.value for _, _, report in sweep.received.of("epoch")] == [0.0, 1.0, 2.0]


def test_notes_of_a_trial_reach_the_study() -> None:
    def task(spec: TrialSpec, channel: Channel) -> float:
        channel.note(Attribute("parameters", 10))
        channel.note(Constraint("size", 1.0 - spec.number))
        channel.note(Advance("decoding images", 16, 100))
        return 1.0 - spec.number

    sweep = Sweep(task, stops={"n_trials": 2}).run()
    first, second = sweep.trials
    assert first.user_attrs["parameters"] == 10
    assert (first.constraints, second.constraints) == ({"size": 1.0}, {"size": 0.0})
    assert [row.feasible for row in sweep.status.summary().rows] == [False, True]
    shown = Advance("decoding images", 16, 100)
    assert sweep.received.of("advance") == [(0, 0, shown), (0, 1, shown)]


def test_several_objectives_make_a_front() -> None:
    def task(spec: TrialSpec, _channel: Channel) -> tuple[float, ...]:
        return ((1.0, 3.0), (2.0, 4.0), (3.0, 3.5))[spec.number]

    sweep = Sweep(task, directions=("maximize", "minimize"), stops={"n_trials": 3}).run()
    summary = sweep.status.summary()
    assert [row.values for row in summary.front] == [(1.0, 3.0), (3.0, 3.5)]


def test_what_is_shown_is_what_happens() -> None:
    sweep = Sweep(half, n_slots=3, stops={"n_trials": 9}).run()
    started = {spec.number: slot for slot, spec in sweep.received.of("started")}
    finished = {row.number: slot for slot, row in sweep.received.of("finished")}
    assert started == finished
    assert sorted(started) == list(range(9))
    folders = [trial.user_attrs[FOLDER] for trial in sweep.trials]
    assert folders == [str(number) for number in range(9)]


def test_a_bad_text_of_a_space_ends_the_sweep_with_its_name() -> None:
    def custom(_trial: optuna.Trial) -> None:
        raise ConfigError(["x cannot be read"])

    with pytest.raises(ConfigError, match="x cannot be read"):
        Sweep(half, custom=custom, stops={"n_trials": 2}).run()


class Growing(InlineExecutor):
    """Has room for one slot more after each look."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0

    def room(self) -> int:  # type: ignore[override]
        self._now = min(self._now + 1, self._most)
        return self._now


def test_slots_are_added_as_the_room_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filled_slots, "_ROOM_SECONDS", 0.01)
    together = threading.Barrier(3, timeout=PATIENCE)

    def task(_spec: TrialSpec, _channel: Channel) -> float:
        together.wait()  # returns when three trials run at once
        return 0.0

    sweep = Sweep(task, stops={"n_trials": 6}, executor=Growing(3)).run()
    assert sweep.states == ["COMPLETE"] * 6
    assert len(sweep.received.of("added")) == 2


class Waiting(InlineExecutor):
    """Its second slot has no room before nothing is to be run any more."""

    def __init__(self) -> None:
        self.waited = threading.Event()

    @contextmanager
    def slot(  # type: ignore[override]
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Iterator[Placement | None]:
        if threading.current_thread().name == "slot 1":
            say("waiting for room")
            self.waited.set()
            while not ended():
                time.sleep(0.01)  # as a cluster is asked
            yield None
        else:
            yield place


def test_a_slot_without_room_takes_no_trial_and_ends_with_the_others() -> None:
    executor = Waiting()

    def task(_spec: TrialSpec, _channel: Channel) -> float:
        assert executor.waited.wait(PATIENCE)
        return 0.0

    sweep = Sweep(task, n_slots=2, stops={"n_trials": 3}, executor=executor).run()
    assert sweep.states == ["COMPLETE"] * 3
    assert {slot for slot, _ in sweep.received.of("started")} == {0}
    assert sweep.received.of("note") == [("waiting for room",)]


class Once(InlineExecutor):
    """Has room for each slot, unless nothing is left, as a cluster that takes its time."""

    @contextmanager
    def slot(  # type: ignore[override]
        self, place: Placement, _say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Iterator[Placement | None]:
        yield None if ended() else place


@pytest.mark.parametrize("executor", [InlineExecutor, Once])
def test_what_fails_after_the_others_found_no_work_is_tried_again(
    executor: type[InlineExecutor],
) -> None:
    others_done = threading.Event()

    def task(spec: TrialSpec, _channel: Channel) -> float:
        if spec.number == 0:
            assert others_done.wait(PATIENCE)
            raise TrialFailed("killed", cause=Cause.KILLED)
        return 0.0

    sweep = Sweep(
        task,
        n_slots=2,
        params={"x": "choice(1,2)"},
        sampler=GridSampler({"x": [1, 2]}, seed=0),
        retries={Cause.KILLED: 1},
        executor=executor(),
    )
    found_none = sweep.slots._next

    def next_work() -> Any:
        work = found_none()
        if work is None:
            others_done.set()
        return work

    sweep.slots._next = next_work  # type: ignore[method-assign]
    sweep.run()
    complete = [trial for trial in sweep.trials if trial.state is TrialState.COMPLETE]
    assert {trial.params["x"] for trial in complete} == {1, 2}
    assert sweep.status.waiting == 0
