"""Trials run again beside a study, in this process: no Hydra, no waiting but for events."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from patience import PATIENCE
from search.studies import a_study, finish, memory

from sweeper.errors import MachineFault, TrialFailed, TrialPruned
from sweeper.execute.executor import Channel, Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import (
    Advance,
    Cause,
    EpochReport,
    Rerun,
    State,
    StudySummary,
    TrialRow,
    TrialSpec,
)
from sweeper.search.hooks import StudyHooks
from sweeper.search.running.reruns import RerunSlots
from sweeper.search.session import Session
from sweeper.search.space.search_space import parse_space
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import StopSignal
from sweeper.search.trials.trial_plan import TrialPlan

Task = Callable[[TrialSpec, Channel], float]


class Recorded:
    """The application's side, which keeps what it is called with."""

    def __init__(self, queue: Sequence[Rerun]) -> None:
        self.queue = queue
        self.begun: list[Path] = []
        self.rows: dict[Path, TrialRow] = {}
        self.stopped: list[tuple[Path, str]] = []

    def started(self, rerun: Rerun, spec: TrialSpec, _config: DictConfig) -> Mapping[str, str]:
        self.begun.append(rerun.folder)
        return {"of": str(rerun.trial.number)}

    def finished(self, rerun: Rerun, row: TrialRow) -> None:
        assert rerun.folder not in self.rows
        self.rows[rerun.folder] = row

    def interrupted(self, rerun: Rerun, reason: str) -> None:
        self.stopped.append((rerun.folder, reason))

    def judged(self, summary: StudySummary) -> StudySummary:
        return summary


class Quiet:
    """A display that shows nothing."""

    def note(self, text: str) -> None: ...
    def slot_added(self, place: str) -> None: ...
    def trial_started(self, slot: int, spec: TrialSpec) -> None: ...
    def epoch(self, slot: int, spec: TrialSpec, report: EpochReport) -> None: ...
    def advance(self, slot: int, spec: TrialSpec, advance: Advance) -> None: ...
    def trial_finished(self, slot: int, row: TrialRow, summary: StudySummary) -> None: ...
    def close(self) -> None: ...


class Again:
    """A study of three trials, of which ``count`` reruns of the best are run by ``task``."""

    def __init__(
        self,
        task: Task,
        count: int,
        n_slots: int = 1,
        retries: Mapping[Cause, int] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        store, folder = memory(), Path("sweep").absolute()
        self.study = a_study(store)
        for value in (0.1, 0.3, 0.2):
            finish(self.study, value)
        status = StudyStatus(self.study, folder)
        status.refresh()
        best = status.best
        assert best is not None
        queue = [Rerun(best, {"seed": 1000 * n}, Path("confirm", str(n))) for n in range(count)]
        self.recorded, self.signal = Recorded(queue), StopSignal()
        self.specs: list[TrialSpec] = []

        def composed(_overrides: tuple[str, ...]) -> DictConfig:
            sweep = {"dir": str(folder), "subdir": "trials/0"}
            return OmegaConf.create({"hydra": {"job": {"num": None}, "sweep": sweep}})

        def make_job(spec: TrialSpec, config: DictConfig) -> Callable[[Channel], Any]:
            assert Path(config.hydra.sweep.dir, config.hydra.sweep.subdir) == spec.folder
            self.specs.append(spec)
            return lambda channel: (task(spec, channel),)

        space = parse_space(OverridesParser.create(), params or {"x": "interval(0,1)"}, (), _never)
        plan = TrialPlan(space, composed, make_job, None, retries or {})  # type: ignore[arg-type]
        session = Session(
            self.study, store, status, InlineExecutor(), StudyHooks(), Quiet(), self.signal
        )
        self.slots = RerunSlots(session, plan, self.recorded, [Placement()] * n_slots)
        self.before = len(self.study.trials)

    def run(self) -> "Again":
        self.slots.run()
        assert len(self.study.trials) == self.before  # nobody tells the sampler
        return self


def _never(_overrides: tuple[str, ...]) -> DictConfig:
    raise AssertionError("composed for nothing")


def test_all_slots_work_at_once_and_each_rerun_has_its_folder_and_seed() -> None:
    together = threading.Barrier(3)

    def task(spec: TrialSpec, _channel: Channel) -> float:
        together.wait(PATIENCE)
        return float(spec.params["seed"])  # type: ignore[arg-type]

    done = Again(task, 6, n_slots=3).run()
    values = {str(folder): row.values for folder, row in done.recorded.rows.items()}
    assert values == {f"confirm/{n}": (1000.0 * n,) for n in range(6)}
    for spec in done.specs:
        assert spec.number == 1
        assert spec.context == {"of": "1"}
        assert spec.overrides[-1] == f"seed={spec.params['seed']}"
        assert spec.params["x"] == done.study.trials[1].params["x"]


@given(st.integers(1, 3), st.integers(1, 6), st.data())
@settings(max_examples=25, deadline=None)
def test_each_ends_once_and_is_tried_again_as_often_as_its_cause_allows(
    n_slots: int, count: int, data: st.DataObject
) -> None:
    ways = st.lists(st.sampled_from([None, *Cause]), min_size=4, max_size=4)
    ends: list[list[Cause | None]] = [data.draw(ways) for _ in range(count)]
    retries = {cause: data.draw(st.integers(0, 2), str(cause)) for cause in Cause}
    attempts: Counter[int] = Counter()

    def task(spec: TrialSpec, _channel: Channel) -> float:
        index = int(spec.folder.name)
        cause = ends[index][min(attempts[index], 3)]
        attempts[index] += 1
        if cause is not None:
            raise TrialFailed("gone", cause=cause)
        return 0.5

    done = Again(task, count, n_slots, retries).run()
    assert {int(folder.name) for folder in done.recorded.rows} == set(range(count))
    for folder, row in done.recorded.rows.items():
        seen: Counter[Cause] = Counter()
        expected, tries = State.FAILED, 0
        while True:
            cause = ends[int(folder.name)][min(tries, 3)]
            tries += 1
            if cause is None:
                expected = State.COMPLETE
                break
            seen[cause] += 1
            if seen[cause] > retries[cause]:
                break
        assert (row.state, attempts[int(folder.name)]) == (expected, tries)
    assert len(done.recorded.stopped) == len(done.recorded.begun) - count


def test_interrupted_they_stop_at_their_next_report_and_no_other_begins() -> None:
    def task(spec: TrialSpec, channel: Channel) -> float:
        if spec.folder.name == "1":
            sweep.slots.interrupt()
        if channel.report(EpochReport(0, 0.5)).stop:
            raise TrialPruned("the sweep was interrupted")
        return 0.5

    sweep = Again(task, 4)
    sweep.run()
    assert sweep.slots.interrupted
    assert [folder.name for folder in sweep.recorded.rows] == ["0"]
    assert [folder.name for folder, _ in sweep.recorded.stopped] == ["1"]


def test_one_that_gives_up_itself_has_failed() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        raise TrialPruned("loss is nan")

    (row,) = Again(task, 1).run().recorded.rows.values()
    assert (row.state, row.reason, row.values) == (State.FAILED, "loss is nan", ())


def test_what_no_rerun_is_at_fault_for_ends_the_sweep() -> None:
    def task(_spec: TrialSpec, _channel: Channel) -> float:
        raise MachineFault("the disk is full")

    sweep = Again(task, 2)
    with pytest.raises(MachineFault, match="the disk is full"):
        sweep.run()
    assert not sweep.recorded.rows
    assert sweep.recorded.stopped == [(Path("confirm/0"), "the disk is full")]


def test_nobody_prunes_them() -> None:
    def task(_spec: TrialSpec, channel: Channel) -> float:
        return float(any(channel.report(EpochReport(n, -9.0)).stop for n in range(5)))

    (row,) = Again(task, 1).run().recorded.rows.values()
    assert row.values == (0.0,)


def test_a_change_takes_the_place_of_what_was_searched_under_its_name() -> None:
    params = {"x": "interval(0,1)", "seed": 7}
    done = Again(lambda _spec, _channel: 0.0, 1, params=params).run()
    (spec,) = done.specs
    assert spec.params["seed"] == 0
    assert list(spec.overrides).count("seed=0") == 1
