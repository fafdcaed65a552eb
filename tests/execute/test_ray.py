"""A real Ray cluster: its processes speak, hang and die, and bring their files."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.errors import ConfigError, MachineFault, TrialFailed
from sweeper.execute.executor import Asked, Channel, Placement, SilentChannel, WorkFiles
from sweeper.execute.on_ray import ray_connection, ray_nodes, room
from sweeper.execute.on_ray.conversation import Conversation
from sweeper.execute.on_ray.copied_files import CopiedFiles
from sweeper.execute.on_ray.held_actors import RayPlacement
from sweeper.execute.on_ray.messages import Node
from sweeper.execute.on_ray.ray_executor import RayExecutor
from sweeper.execute.on_ray.versions import differing, versions
from sweeper.records import Attribute, Cause, EpochReport, Note

IGNORE = SilentChannel()


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster of this machine: two processors of Ray's counting."""
    ray = pytest.importorskip("ray")
    ray_connection.connect("local")
    yield
    ray.shutdown()


class OnAnotherDisk(RayExecutor):
    """One whose nodes do not see the study's folder."""

    def _try_slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> RayPlacement | None:
        found = super()._try_slot(place, say, ended)
        return found and replace(found, node=replace(found.node, sees_study=False))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    return folder


@pytest.fixture
def executor(study: Path) -> RayExecutor:
    return RayExecutor(Asked(), study / "logs" / "server.log")


@pytest.fixture
def elsewhere(study: Path) -> RayExecutor:
    return OnAnotherDisk(Asked(), study / "logs" / "server.log")


class Events(SilentChannel):
    """Sets an event with the first note; remembers all."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.notes: list[Note] = []

    def note(self, note: Note) -> None:
        self.notes.append(note)
        self.began.set()


def hang(channel: Channel) -> None:
    print("hanging now", flush=True)
    channel.note(Attribute("pid", os.getpid()))
    time.sleep(3600)


def test_each_work_has_a_process_of_its_own(executor: RayExecutor, study: Path) -> None:
    pids = {executor.run(lambda _: os.getpid(), study / "log", IGNORE) for _ in range(3)}
    assert len(pids) == 3
    assert os.getpid() not in pids


def test_work_that_takes_too_long_is_ended_and_its_log_says_where_it_hung(
    elsewhere: RayExecutor, study: Path
) -> None:
    with pytest.raises(TrialFailed, match="no end after 10 s") as caught:
        elsewhere.run(hang, study / "log", IGNORE, timeout=10)
    assert caught.value.cause is Cause.TIMEOUT
    assert "hanging now" in caught.value.log_tail
    assert "in hang" in (study / "log").read_text()


def test_a_kill_ends_what_runs_and_nothing_after_it(executor: RayExecutor, study: Path) -> None:
    events, caught = Events(), list[TrialFailed]()

    def run() -> None:
        try:
            executor.run(hang, study / "log", events)
        except TrialFailed as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert events.began.wait(60)
    executor.kill()
    thread.join(60)
    assert [(error.reason, error.cause) for error in caught] == [
        ("killed by its controller", Cause.KILLED)
    ]
    assert executor.run(lambda _: 1, study / "log", IGNORE) == 1


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.more)]
)
def test_a_process_that_dies_is_a_failure_and_its_children_end(
    executor: RayExecutor, study: Path, number: signal.Signals
) -> None:
    events = Events()

    def die(channel: Channel) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        channel.note(Attribute("pid", child.pid))
        channel.report(EpochReport(0, 0.0))
        os.kill(os.getpid(), number)

    with pytest.raises(TrialFailed, match=f"killed by {number.name}") as caught:
        executor.run(die, study / "log", events)
    assert caught.value.cause is Cause.KILLED
    (note,) = events.notes
    assert isinstance(note, Attribute)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{note.value}").exists():  # no event of another process' child
        assert time.monotonic() < deadline, f"process {note.value} still runs"
        time.sleep(0.1)


def kill_actor(_channel: Channel) -> None:
    """As Ray does where memory runs low: it knows the actor only."""
    actor = multiprocessing.parent_process()
    assert actor is not None
    assert actor.pid is not None
    os.kill(actor.pid, signal.SIGKILL)
    time.sleep(3600)


def test_a_slot_whose_actor_died_is_given_up(executor: RayExecutor, study: Path) -> None:
    with executor.slot(Placement(), print, lambda: False) as place:
        assert place is not None
        pids = {executor.run(lambda _: os.getpid(), study / "log", IGNORE, place) for _ in "12"}
        assert len(pids) == 2
        assert executor.holds(place)
        with pytest.raises(TrialFailed, match=r"its process on node .* died") as caught:
            executor.run(kill_actor, study / "log", IGNORE, place)
        assert caught.value.cause is Cause.KILLED
        assert not executor.holds(place)
    assert executor.run(lambda _: 1, study / "log", IGNORE) == 1


def test_nothing_of_a_death_is_on_the_screen(
    executor: RayExecutor, study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from ray._private import worker

    shown = worker.print_to_stdstream
    was_shown = threading.Event()

    def noticed(data: dict[str, list[str]], **more: object) -> None:
        shown(data, **more)
        was_shown.set()

    worker.print_to_stdstream = noticed
    try:
        with pytest.raises(TrialFailed):
            executor.run(kill_actor, study / "log", IGNORE)
        assert was_shown.wait(60)
    finally:
        worker.print_to_stdstream = shown
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    assert "Worker exit type" in (study / "logs/server.log").read_text()


def test_files_go_there_and_come_back(elsewhere: RayExecutor, study: Path) -> None:
    made, needed = study / "trials" / "0001", study / "trials" / "0000" / "weights.npz"
    needed.parent.mkdir(parents=True)
    needed.write_bytes(b"weights" * 10_000)
    (study / "trials" / "0000" / "other.npz").write_bytes(b"not asked for")
    made.mkdir()
    (made / "journal.jsonl").write_text("1\n")
    (made / "old.json").write_text("old")

    def work(channel: Channel) -> list[str]:
        found = sorted(path.name for path in made.parent.rglob("*") if path.is_file())
        assert needed.read_bytes() == b"weights" * 10_000
        with (made / "journal.jsonl").open("a") as file:
            file.write("2\n")
        (made / "old.json").unlink()
        (made / "plots").mkdir()
        (made / "plots" / "a.png").write_bytes(b"png")
        channel.report(EpochReport(0, 0.0))
        with (made / "journal.jsonl").open("a") as file:
            file.write("3\n")
        print("printed there")
        return [str(made.parent), *found]

    log = made / "logs" / "trial.log"
    place, *found = elsewhere.run(work, log, IGNORE, files=WorkFiles((made,), (needed,)))
    assert place != str(made.parent)
    assert not Path(place).exists()
    assert found == ["journal.jsonl", "old.json", "trial.log", "weights.npz"]
    assert (made / "journal.jsonl").read_text() == "1\n2\n3\n"
    assert (made / "plots" / "a.png").read_bytes() == b"png"
    assert not (made / "old.json").exists()
    assert "printed there" in log.read_text()


def test_where_the_disk_is_shared_nothing_is_copied(executor: RayExecutor, study: Path) -> None:
    place = executor.run(lambda _: str(study), study / "log", IGNORE, files=WorkFiles((study,)))
    assert place == str(study)
    assert not list(study.glob(".seen-*"))


def test_what_is_waited_for_is_said_and_the_wait_ends(
    executor: RayExecutor, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SAY_SECONDS", 0.0)
    asked = Asked(num_cpus=1000, n_jobs=1)
    waiting = RayExecutor(asked, study / "logs" / "server.log")
    said = list[str]()
    with waiting.slot(Placement(), said.append, lambda: bool(said)) as place:
        assert place is None
    assert said[0].startswith("waiting for room on the Ray cluster: a trial needs 1000 CPU, free")
    assert executor.run(lambda _: 1, study / "log", IGNORE) == 1


def test_there_are_as_many_slots_as_fit_or_as_asked_for() -> None:
    fitting = ray_nodes.room({"CPU": 1})
    assert len(RayExecutor.placements(Asked())) == fitting
    assert len(RayExecutor.placements(Asked(num_cpus=0.5))) == 2 * fitting
    assert len(RayExecutor.placements(Asked(n_jobs=7))) == 7
    assert RayExecutor.threads(Asked(num_cpus=4.0)) == 4
    assert RayExecutor.threads(Asked(num_cpus=0.5)) == 1


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("127.0.0.1:1", "no Ray cluster answers there"),
        ("ray://127.0.0.1:1", "address=auto"),
        ("nonsense", "start one with `ray start --head`"),
        ("auto", "no Ray cluster answers there"),
    ],
)
def test_an_address_where_nothing_answers_is_one_message(
    address: str, printed: str, tmp_path: Path
) -> None:
    script = (
        "from sweeper.execute.on_ray.ray_connection import connect\n"
        "from sweeper.errors import ConfigError\n"
        f"try: connect({address!r})\n"
        "except ConfigError as error: print(*error.faults, sep='\\n')\n"
    )
    # as a cluster leaves it that ended without a word: nothing listens there any more
    left = tmp_path / "ray" / "ray_current_cluster"
    left.parent.mkdir()
    left.write_text("127.0.0.1:9")
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    environment["RAY_TMPDIR"] = str(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    (line,) = ended.stdout.splitlines()
    assert f"hydra.sweeper.executor.address={address}" in line
    assert printed in line


def test_other_versions_are_named() -> None:
    ours = versions()
    assert differing("a", ours, ours) is None
    said = differing("10.0.0.3", {**ours, "keras": "3.0.0", "ray": "absent"}, ours)
    assert said is not None
    assert f"node 10.0.0.3 has ray absent ({ours['ray']} here), keras 3.0.0 (" in said


def test_a_node_with_other_versions_is_refused(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = {"10.0.0.3": {**versions(), "keras": "0.1"}, "10.0.0.4": RuntimeError("no disk")}
    monkeypatch.setattr(ray_connection, "on_each_node", lambda *_: nodes)
    with pytest.raises(ConfigError) as caught:
        RayExecutor(Asked(), study / "logs" / "server.log")
    assert caught.value.faults == (
        f"node 10.0.0.3 has keras 0.1 ({versions()['keras']} here); install the same versions on "
        "all nodes",
        "node 10.0.0.4 cannot run anything: no disk",
    )
    monkeypatch.undo()
    joined = RayExecutor(Asked(), study / "logs" / "server.log")
    monkeypatch.setattr(room, "versions", lambda: {**versions(), "keras": "0.1"})
    with pytest.raises(MachineFault, match=r"\(0.1 here\)"):
        joined.run(lambda _: 1, study / "log", IGNORE)


def test_an_actor_that_dies_before_it_has_work_is_replaced(
    executor: RayExecutor, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    made, awaited = list[object](), room.Room.awaited

    def dies_at_first(
        waiting: room.Room, actor: object, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Node | None:
        made.append(actor)
        if len(made) == 1:
            ray.kill(actor)
        return awaited(waiting, actor, say, ended)

    monkeypatch.setattr(room.Room, "awaited", dies_at_first)
    assert executor.run(lambda _: 1, study / "log", IGNORE) == 1
    assert len(made) == 2


def test_a_result_that_is_here_counts_though_its_actor_died(
    executor: RayExecutor, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    close = Conversation._close

    def dead(talk: Conversation, work: int) -> None:
        ray.kill(talk._actor)
        close(talk, work)

    monkeypatch.setattr(Conversation, "_close", dead)
    assert executor.run(lambda _: "result", study / "log", IGNORE) == "result"


def test_a_full_disk_of_the_controller_is_no_failure_of_the_work(
    elsewhere: RayExecutor, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_copies: CopiedFiles, _change: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "trial.log")

    monkeypatch.setattr(CopiedFiles, "take", full)
    with pytest.raises(MachineFault, match="free some space on that disk"):
        elsewhere.run(lambda _: print("a line of the log"), study / "log", IGNORE)
