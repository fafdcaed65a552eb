"""What is kept of trials as a study grows, and how often its pages are written."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sweeper.app.kept_models import KeptModels
from sweeper.app.paced import Paced
from sweeper.ranking import best_of, joined
from sweeper.records import State, StudySummary, TrialRow
from sweeper.study_files.trial_paths import TrialPaths


def summary_of(folder: Path, rows: list[TrialRow]) -> StudySummary:
    front: list[TrialRow] = []
    for row in rows:
        front = joined(front, row, (True,))
    return StudySummary("one", folder, (True,), tuple(rows), best_of(front, (True,)), tuple(front))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.integers(1, 4))
def test_the_best_keep_what_they_learned_whenever_they_came(
    tmp_path_factory, values: list[int], weights: int
) -> None:
    folder = tmp_path_factory.mktemp("study")
    kept, rows = KeptModels(weights), list[TrialRow]()
    for number, value in enumerate(values):
        paths = TrialPaths(folder / f"{number:04d}")
        paths.folder.mkdir()
        paths.learned.touch()
        paths.model.touch()
        state = State.COMPLETE
        rows.append(TrialRow(number, state, (float(value),), 1.0, {}, paths.folder))
        kept.update(summary_of(folder, rows))
    left = {int(path.parent.name) for path in folder.glob("*/learned.npz")}
    # of equal values the first one counts
    best = sorted(range(len(values)), key=lambda number: (-values[number], number))
    assert left == set(best[:weights])
    assert {int(path.parent.name) for path in folder.glob("*/model.keras")} == {best[0]}


def test_files_of_each_trial_are_looked_for_once(tmp_path: Path) -> None:
    rows = [
        TrialRow(number, State.COMPLETE, (-float(number),), 1.0, {}, tmp_path / str(number))
        for number in range(3)
    ]
    kept = KeptModels(1)
    kept.update(summary_of(tmp_path, rows))
    second = TrialPaths(tmp_path / "1")
    second.folder.mkdir()
    second.learned.touch()  # a trial that was looked at has nothing: nobody looks again
    kept.update(summary_of(tmp_path, rows))
    assert second.learned.exists()
    # a controller that begins anew looks at all
    KeptModels(1).update(summary_of(tmp_path, rows))
    assert not second.learned.exists()


def test_what_takes_long_is_done_seldom_and_what_does_not_always() -> None:
    seconds = {"now": 0.0}
    paced, done = Paced(lambda: seconds["now"]), list[float]()

    def work(takes: float) -> None:
        done.append(seconds["now"])
        seconds["now"] += takes

    for _ in range(200):
        paced(lambda: work(0.1))
        seconds["now"] += 1
    assert 30 < len(done) <= 40  # 2 % of the time
    done.clear()
    quick = Paced(lambda: seconds["now"])
    for _ in range(200):
        quick(lambda: work(0.001))
        seconds["now"] += 1
    assert len(done) == 200
