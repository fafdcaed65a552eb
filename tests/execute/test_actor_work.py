"""What an actor answers its controller, without a cluster."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from sweeper.execute.executor import Channel
from sweeper.execute.inline import InlineExecutor
from sweeper.execute.on_ray import actor_work, sent_work
from sweeper.execute.on_ray.actor_work import ActorWork, read_outcome
from sweeper.execute.on_ray.messages import Outcome, Task
from sweeper.execute.outcome import Returned


class Waits:
    """Work that ends when it may; pickled by name, so that its process is this one."""

    may_end = threading.Event()

    def __call__(self, _channel: Channel) -> int:
        assert Waits.may_end.wait(PATIENCE)
        return 5


def begun(work: Callable[[Channel], Any], folder: Path) -> ActorWork:
    payload = sent_work.dumps(work, folder)
    task = Task(0, payload, folder, folder / "trial.log", (), {}, Path.cwd(), None)
    made = ActorWork(task, folder, copied=False)
    made.begin(InlineExecutor())
    return made


def test_silent_work_is_answered_for_seldom_and_an_end_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(actor_work, "_LOOK_SECONDS", 0.001)
    new = ActorWork._new
    monkeypatch.setattr(ActorWork, "_new", lambda self: (looks.append(1), new(self))[1])
    Waits.may_end.clear()
    work = begun(Waits(), tmp_path)
    assert work.messages(0) == (0, [])
    assert len(looks) == actor_work._LOOKS
    monkeypatch.setattr(actor_work, "_LOOK_SECONDS", PATIENCE)
    Waits.may_end.set()
    first, (outcome,) = work.messages(0)
    assert first == 0
    assert isinstance(outcome, Outcome)
    assert read_outcome(outcome) == Returned(5)
    assert work.messages(0) == (0, [outcome])  # the answer was lost
