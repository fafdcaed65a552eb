"""What every executor must do, subclassed once for each."""

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.errors import (
    ConfigError,
    MachineFault,
    MissingInput,
    SweeperError,
    SweepInterrupted,
    TrackerError,
    TrialFailed,
    TrialPruned,
)
from sweeper.execute.executor import Asked, Channel, Executor, Placement, SilentChannel
from sweeper.execute.inline import InlineExecutor
from sweeper.execute.on_ray import ray_connection
from sweeper.execute.on_ray.held_actors import RayPlacement
from sweeper.execute.on_ray.ray_executor import RayExecutor
from sweeper.execute.process import ProcessExecutor
from sweeper.records import Attribute, Cause, Constraint, Decision, EpochReport


class Listener:
    """A controller's end that remembers all it receives, and stops the work at ``last``."""

    def __init__(self, last: int = 10**9) -> None:
        self.received: list[EpochReport | Attribute | Constraint] = []
        self._last = last

    def report(self, report: EpochReport) -> Decision:
        self.received.append(report)
        return Decision(report.step >= self._last, f"step {report.step}")

    def note(self, note: Attribute | Constraint) -> None:
        self.received.append(note)


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


class ExecutorContract(ABC):
    @pytest.fixture
    @abstractmethod
    def executor(self) -> Executor:
        """An executor that runs nothing yet."""

    def test_it_returns_what_the_work_returns(self, executor: Executor, tmp_path: Path) -> None:
        result = {"a": (1, 2.5), "b": Path("c")}
        assert executor.run(lambda _: result, tmp_path / "log", SilentChannel()) == result

    def test_it_runs_anywhere(self, executor: Executor, tmp_path: Path) -> None:
        place = Placement("here", {"SWEEPER_TEST_PLACE": "here"})
        assert executor.run(lambda _: 1, tmp_path / "log", SilentChannel(), place) == 1

    def test_reports_get_their_decisions_and_notes_arrive_in_order(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        def work(channel: Channel) -> list[str]:
            reasons = []
            for step in range(100):
                channel.note(Attribute("step", step))
                channel.note(Constraint("memory", step / 2))
                decision = channel.report(EpochReport(step, step / 10, "frozen", {"loss": 0.5}))
                reasons.append(decision.reason)
                if decision.stop:
                    break
            channel.note(Attribute("last", None))
            return reasons

        listener = Listener(last=2)
        reasons = executor.run(work, tmp_path / "log", listener)
        assert reasons == ["step 0", "step 1", "step 2"]
        expected: list[EpochReport | Attribute | Constraint] = []
        for step in range(3):
            expected.append(Attribute("step", step))
            expected.append(Constraint("memory", step / 2))
            expected.append(EpochReport(step, step / 10, "frozen", {"loss": 0.5}))
        assert listener.received == [*expected, Attribute("last", None)]

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(TrialPruned("hopeless"), marks=pytest.mark.more),
            ConfigError(["a", "b"]),
            pytest.param(MissingInput("no data"), marks=pytest.mark.more),
            pytest.param(MachineFault("no space"), marks=pytest.mark.more),
            pytest.param(TrackerError("no answer"), marks=pytest.mark.more),
            SweepInterrupted("interrupted", 15),
            TrialFailed("the task returned nan", cause=Cause.NONSENSE),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_of_this_package_come_back_as_they_were(
        self, executor: Executor, tmp_path: Path, error: SweeperError
    ) -> None:
        def work(_channel: Channel) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            executor.run(work, tmp_path / "log", SilentChannel())
        assert vars(caught.value) == vars(error)
        assert str(caught.value) == str(error)

    def test_an_exception_is_a_failure_with_its_reason(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        def work(_channel: Channel) -> None:
            raise KeyError("nothing here")

        with pytest.raises(TrialFailed) as caught:
            executor.run(work, tmp_path / "log", SilentChannel())
        assert caught.value.reason == "KeyError: 'nothing here'"
        assert caught.value.cause is Cause.RAISED

    def test_a_full_disk_is_no_failure_of_the_work(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        def work(_channel: Channel) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", "learned.npz")

        with pytest.raises(MachineFault, match=r"'learned.npz'; free some space on that disk"):
            executor.run(work, tmp_path / "log", SilentChannel())

    def test_running_out_of_memory_is_recognised(self, executor: Executor, tmp_path: Path) -> None:
        def on_the_processor(_channel: Channel) -> None:
            bytearray(1 << 62)

        def on_a_device(_channel: Channel) -> None:
            try:
                raise ResourceExhaustedError("no room")
            except ResourceExhaustedError as error:
                raise RuntimeError("the epoch failed") from error

        for work, reason in {
            on_the_processor: "MemoryError",
            on_a_device: "RuntimeError: the epoch failed",
        }.items():
            with pytest.raises(TrialFailed) as caught:
                executor.run(work, tmp_path / "log", SilentChannel())
            assert (caught.value.cause, caught.value.reason) == (Cause.OOM, reason)

    def test_what_the_controller_raises_passes_through(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        class Interrupted(Listener):
            def report(self, report: EpochReport) -> Decision:
                raise KeyboardInterrupt

        def work(channel: Channel) -> None:
            while True:
                channel.report(EpochReport(0, 0.0))

        with pytest.raises(KeyboardInterrupt):
            executor.run(work, tmp_path / "log", Interrupted())
        assert executor.run(lambda _: "next", tmp_path / "log", SilentChannel()) == "next"

    def test_it_runs_on_after_a_kill(self, executor: Executor, tmp_path: Path) -> None:
        executor.kill()
        assert executor.run(lambda _: 1, tmp_path / "log", SilentChannel()) == 1


class TestInlineExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> InlineExecutor:
        return InlineExecutor()


class TestForkServer(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> ProcessExecutor:
        return ProcessExecutor((), tmp_path / "server.log", "forkserver")


class TestSpawn(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> ProcessExecutor:
        return ProcessExecutor((), tmp_path / "server.log", "spawn")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster on this machine, for this file."""
    ray = pytest.importorskip("ray")
    ray_connection.connect("local")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
class TestRay(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> RayExecutor:
        return RayExecutor(Asked(), tmp_path / "logs" / "server.log")


class OnAnotherDisk(RayExecutor):
    """One whose nodes do not see the study's folder."""

    def _try_slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> RayPlacement | None:
        found = super()._try_slot(place, say, ended)
        return found and replace(found, node=replace(found.node, sees_study=False))


@pytest.mark.more
@pytest.mark.usefixtures("cluster")
class TestRayWithoutSharedDisk(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> RayExecutor:
        return OnAnotherDisk(Asked(), tmp_path / "logs" / "server.log")
