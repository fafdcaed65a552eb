import io
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sweeper.display.interface import Outline
from sweeper.display.line_progress import LineProgress
from sweeper.display.live_progress import LiveProgress
from sweeper.display.progress import open_progress
from sweeper.display.trial_text import describe, number, one_line, point
from sweeper.records import Advance, EpochReport, State, StudySummary, TrialRow, TrialSpec, Value

FOLDER = Path("study")


def spec(trial: int, **params: Value) -> TrialSpec:
    return TrialSpec(trial, params, (), FOLDER)


def row(
    trial: int,
    *values: float,
    state: State = State.COMPLETE,
    reason: str = "",
    feasible: bool = True,
    **params: Value,
) -> TrialRow:
    return TrialRow(trial, state, values, 3.21, params, FOLDER, reason, feasible)


def summary(
    *rows: TrialRow,
    best: int | None = None,
    front: tuple[int, ...] = (),
    objectives: tuple[str, ...] = (),
) -> StudySummary:
    named = {one.number: one for one in rows}
    directions = (True, False) if front else (True,)
    leaders = tuple(named[trial] for trial in front)
    first = None if best is None else named[best]
    return StudySummary("toy", FOLDER, directions, rows, first, leaders, objectives)


class Lines:
    """A LineProgress, and what it has written."""

    def __init__(
        self, total: int | None = 20, encoding: str = "utf-8", parameters: tuple[str, ...] = ()
    ) -> None:
        self._bytes = io.BytesIO()
        self._encoding = encoding
        file = io.TextIOWrapper(self._bytes, encoding, newline="\n")
        outline = Outline(total=total, parameters=parameters)
        self.progress = LineProgress(Console(file=file), outline)

    def read(self) -> list[str]:
        return self._bytes.getvalue().decode(self._encoding).splitlines()


def ended(one: TrialRow, study: StudySummary) -> str:
    lines = Lines()
    lines.progress.trial_finished(0, one, study)
    (line,) = lines.read()
    return line


def test_a_trial_from_start_to_end_is_one_line_an_event() -> None:
    lines = Lines()
    best = row(7, 0.98312, x=0.3, name="adam")
    lines.progress.note("closed 2 interrupted trials")
    lines.progress.trial_started(0, spec(7, x=0.3, name="adam"))
    metrics = {"loss": 0.1, "accuracy": 0.9}
    lines.progress.epoch(0, spec(7), EpochReport(3, 0.9, "frozen", metrics, steps=6))
    lines.progress.epoch(0, spec(7), EpochReport(4, 0.5))
    lines.progress.trial_finished(0, best, summary(best, best=7))
    lines.progress.close()
    lines.progress.close()
    assert lines.read() == [
        "closed 2 interrupted trials",
        "trial 7 of 20 started: x=0.3  name=adam",
        "trial 7 frozen epoch 4 of 6: loss 0.1  accuracy 0.9",
        "trial 7 step 4: 0.5",
        "trial 7 complete after 3.2 s: 0.9831 (best so far) with x=0.3  name=adam",
    ]


def test_without_a_total_and_without_parameters_the_start_names_the_trial_alone() -> None:
    lines = Lines(total=None)
    lines.progress.trial_started(0, spec(7))
    assert lines.read() == ["trial 7 started"]


def test_the_row_that_ended_need_not_be_the_last_of_the_study() -> None:
    first, second = row(1, 0.5), row(2, 0.9)
    study = summary(first, second, best=2)
    assert ended(first, study) == "trial 1 complete after 3.2 s: 0.5"
    assert ended(second, study) == "trial 2 complete after 3.2 s: 0.9 (best so far)"


@pytest.mark.parametrize("state", [State.PRUNED, State.FAILED])
def test_a_trial_that_ended_early_says_why(state: State) -> None:
    one = row(8, state=state, reason="killed by SIGKILL; tried again")
    line = f"trial 8 {state} after 3.2 s: killed by SIGKILL; tried again"
    assert ended(one, summary(one)) == line


def test_several_objectives_are_all_shown_and_the_front_is_marked() -> None:
    good, worse = row(1, 0.98, 12.3), row(2, 0.97, 4049571.0)
    study = summary(good, worse, best=1, front=(1,))
    assert ended(good, study) == "trial 1 complete after 3.2 s: 0.98, 12.3 (on the Pareto front)"
    assert ended(worse, study) == "trial 2 complete after 3.2 s: 0.97, 4049571"


def test_objectives_have_the_names_that_the_application_gives_them() -> None:
    one = row(1, 0.98, 4049571.0)
    named = summary(one, front=(1,), objectives=("val_accuracy", "parameters"))
    printed = "val_accuracy 0.98, parameters 4049571 (on the Pareto front)"
    assert ended(one, named) == f"trial 1 complete after 3.2 s: {printed}"


def test_the_line_of_a_trial_that_failed_has_what_it_was_tried_with() -> None:
    one = row(8, state=State.FAILED, reason="killed", **{"optimizer.learning_rate": 0.1})
    line = "trial 8 failed after 3.2 s with learning_rate=0.1: killed"
    assert ended(one, summary(one)) == line


def test_names_are_short_where_all_that_is_searched_lets_them_be() -> None:
    params: dict[str, Value] = {"phases.unfrozen.learning_rate": 0.5, "freeze.unfreeze_blocks": 3}
    short = "learning_rate=0.5  unfreeze_blocks=3"
    assert describe(params) == short
    assert describe(params, ["optimizer.learning_rate"]) == f"unfrozen.{short}"


@pytest.mark.parametrize(
    ("report", "printed"),
    [
        (EpochReport(0, 0.5, "frozen", steps=2), "frozen epoch 1 of 2"),
        (EpochReport(3, 0.5, steps=4), "epoch 4 of 4"),
        (EpochReport(3, 0.5, "fold"), "fold 3"),
        (EpochReport(3, 0.5), "step 3"),
    ],
)
def test_epochs_count_from_one_and_steps_as_they_are_reported(
    report: EpochReport, printed: str
) -> None:
    assert point(report) == printed


def test_a_broken_constraint_is_shown() -> None:
    one = row(1, 0.98, feasible=False)
    assert ended(one, summary(one)) == "trial 1 complete after 3.2 s: 0.98 (infeasible)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.98765, "0.9877"),
        (-1.5e-7, "-1.5e-07"),
        (12345.6, "12346"),
        (-4049571.0, "-4049571"),
        (1e30, "1e+30"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_short_and_counts_are_whole(value: float, text: str) -> None:
    assert number(value) == text


@given(st.text())
def test_foreign_text_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert one_line(text) == text


def test_escape_codes_and_line_ends_go_and_markup_stays() -> None:
    one = row(
        1, state=State.FAILED, reason="\x1b[31mOOM\x1b[0m [red]at[/red]\r\n\tline 3 :x:\x07\n"
    )
    line = "trial 1 failed after 3.2 s: OOM [red]at[/red] line 3 :x:"
    assert ended(one, summary(one)) == line


def test_parameters_with_line_ends_stay_on_one_line() -> None:
    assert describe({"text": "a\nb", "none": None, "on": True}) == "text=a b  none=None  on=True"


def test_a_note_keeps_its_lines_and_spaces() -> None:
    lines = Lines()
    lines.progress.note("two faults:\n  - one\x1b[2K\n  - [two]")
    assert lines.read() == ["two faults:", "  - one", "  - [two]"]


def test_a_file_that_lacks_a_letter_does_not_end_the_study() -> None:
    lines = Lines(encoding="ascii")
    lines.progress.note("prüfe")
    assert lines.read() == ["pr?fe"]


class SlowFile(io.StringIO):
    """Lets another thread continue after each write."""

    def write(self, text: str) -> int:
        written = super().write(text)
        threading.Event().wait(1e-5)
        return written


def test_what_is_run_again_is_called_so_and_counts_towards_no_total() -> None:
    file = io.StringIO()
    progress = LineProgress(Console(file=file), Outline(total=9, what="rerun of trial"))
    again = row(2, 0.5, seed=1000)
    progress.trial_started(0, spec(2, seed=1000))
    progress.epoch(0, spec(2, seed=1000), EpochReport(0, 0.5))
    progress.trial_finished(0, again, summary(again))
    assert file.getvalue().splitlines() == [
        "rerun of trial 2 started: seed=1000",
        "rerun of trial 2 step 0: 0.5",
        "rerun of trial 2 complete after 3.2 s: 0.5 with seed=1000",
    ]


def test_work_within_a_trial_is_a_line_every_ten_seconds() -> None:
    file, now = io.StringIO(), [0.0]
    progress = LineProgress(Console(file=file), Outline(), lambda: now[0])
    progress.trial_started(0, spec(3))
    for second in range(1, 26):
        now[0] = second
        progress.advance(0, spec(3), Advance("decoding images", 1000 * second, 80_000))
    progress.epoch(0, spec(3), EpochReport(0, 0.5))
    now[0] = 34
    progress.advance(0, spec(3), Advance("frozen epoch 2", 64, 80_000))
    assert file.getvalue().splitlines() == [
        "trial 3 started",
        "trial 3 decoding images: 10,000 of 80,000",
        "trial 3 decoding images: 20,000 of 80,000",
        "trial 3 step 0: 0.5",
    ]


def test_lines_of_several_threads_are_whole() -> None:
    file = SlowFile()
    progress = LineProgress(Console(file=file), Outline())
    ready = threading.Barrier(4)

    def slot(index: int) -> None:
        ready.wait()
        for step in range(25):
            progress.epoch(index, spec(index), EpochReport(step, 0.5))

    threads = [threading.Thread(target=slot, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [f"trial {index} step {step}: 0.5" for index in range(4) for step in range(25)]
    assert sorted(file.getvalue().splitlines()) == sorted(expected)


def test_a_pipe_gets_lines() -> None:
    pipe = Console(file=io.StringIO(), force_terminal=False)
    assert isinstance(open_progress(pipe, Outline()), LineProgress)


@pytest.mark.parametrize(
    ("term", "encoding", "live"),
    [("xterm", "utf-8", True), ("dumb", "utf-8", False), ("xterm", "ascii", False)],
)
def test_only_a_terminal_that_can_draw_the_table_gets_it(
    term: str, encoding: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    progress = open_progress(Console(file=file, force_terminal=True), Outline())
    progress.close()
    assert isinstance(progress, LiveProgress) is live
