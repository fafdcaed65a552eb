"""Which journals a look at 10,000 of them opens: those with an open run, and a few others."""

from pathlib import Path

import pytest

from sweeper.records import State
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.delivered import Delivered, write_delivered
from sweeper.track.journal import Journal, NewRun
from sweeper.track.outbox import Outbox
from sweeper.track.posts import Posts

COUNT = 100


def closed(folder: Path) -> MlflowPaths:
    """The journal of a run that was closed, delivered whole."""
    paths = MlflowPaths(folder / "mlflow")
    journal = Journal(paths)
    journal.start(NewRun("uri", "experiment", "name", {}, {}, "note"))
    journal.end(State.COMPLETE)
    write_delivered(paths, Delivered("uri", journal.size(), 0, "id", ended=True))
    return paths


@pytest.fixture
def ended(tmp_path: Path) -> list[MlflowPaths]:
    return [closed(tmp_path / str(number)) for number in range(COUNT)]


def test_a_look_opens_no_more_journals_as_more_trials_end(
    ended: list[MlflowPaths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    waits = Outbox.waits.fget
    assert waits is not None
    monkeypatch.setattr(
        Outbox, "waits", property(lambda outbox: looks.append(outbox) or waits(outbox))
    )

    def looks_of_one(posts: Posts) -> int:
        posts.at(look_at_all=False)
        posts.rest()
        looks.clear()
        assert posts.at(look_at_all=False) == ()
        return len(looks)

    half, whole = Posts(), Posts()
    half.add(ended[: COUNT // 2])
    whole.add(ended)
    assert looks_of_one(half) == looks_of_one(whole) > 0


def test_what_is_added_to_a_closed_run_is_found_soon(ended: list[MlflowPaths]) -> None:
    posts = Posts()
    posts.add(ended)
    posts.rest()
    assert not posts.waiting
    for paths in (ended[0], ended[-1]):
        Journal(paths).log_metrics({"test_accuracy": 0.5}, step=1)
    assert posts.waiting
    assert sum(posts.outstanding()[0]) == 2
    found: set[MlflowPaths] = set()
    for _ in range(COUNT):
        found |= {post.outbox.journal.paths for post in posts.at(look_at_all=False)}
    assert found == {ended[0], ended[-1]}


def test_all_are_looked_at_where_they_are_asked_for(ended: list[MlflowPaths]) -> None:
    posts = Posts()
    posts.add(ended)
    posts.rest()
    Journal(ended[-1]).log_metrics({"test_accuracy": 0.5}, step=1)
    (post,) = posts.at(look_at_all=True)
    assert post.outbox.journal.paths == ended[-1]
    posts.rest()
    posts.add([ended[0]])
    assert [one.outbox.journal.paths for one in posts.at(look_at_all=False)] == [
        ended[-1],
        ended[0],
    ]
