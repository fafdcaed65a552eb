import io
import random
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sweeper.display.interface import Outline
from sweeper.display.live_progress import ROOM_ABOVE, LiveProgress
from sweeper.records import Advance, EpochReport, State, StudySummary, TrialRow, TrialSpec, Value

FOLDER = Path("study")
ENVIRONMENT = {"TERM": "xterm-256color"}
PARAMETERS = ("optimizer.learning_rate", "phases.unfrozen.learning_rate", "batch_size")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Display:
    """A LiveProgress on a terminal of the given size, and what that shows."""

    def __init__(
        self,
        slots: int = 2,
        total: int | None = 20,
        so_far: StudySummary | None = None,
        width: int = 80,
        height: int = 24,
    ) -> None:
        self.file = io.StringIO()
        self.clock = Clock()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            color_system="standard",
            no_color=False,
            width=width,
            height=height,
            _environ=ENVIRONMENT,
        )
        places = tuple(f"gpu {slot}" for slot in range(slots))
        outline = Outline(places, total, PARAMETERS, "val_accuracy", self.clock.now - 5)
        self.progress = LiveProgress(self.console, outline, so_far, self.clock)

    def frame(self) -> list[str]:
        plain = Console(width=self.console.width, file=io.StringIO(), _environ={})
        with plain.capture() as shown:
            plain.print(self.progress.frame())
        return [line.rstrip() for line in shown.get().splitlines()]


@contextmanager
def display(
    slots: int = 2,
    total: int | None = 20,
    so_far: StudySummary | None = None,
    width: int = 80,
    height: int = 24,
) -> Iterator[Display]:
    shown = Display(slots, total, so_far, width, height)
    try:
        yield shown
    finally:
        shown.progress.close()


def screen(written: str) -> list[str]:
    """The lines of an endless terminal to which ``written`` went; it knows what rich sends."""
    lines, at = [""], 0
    for text, code, final, control in re.findall(
        r"([^\x1b\r\n]+)|\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])", written
    ):
        if text:
            lines[at] += text
        elif control == "\n":
            at += 1
            lines += [""] * (at == len(lines))
        elif final == "A":
            at -= int(code or 1)
            assert at >= 0
        elif final == "K":
            lines[at] = ""
        else:
            assert control == "\r" or final in {"m", "h", "l"}
    return [line.rstrip() for line in lines]


def spec(trial: int, **params: Value) -> TrialSpec:
    return TrialSpec(trial, params, (), FOLDER)


def row(
    trial: int,
    *values: float,
    state: State = State.COMPLETE,
    seconds: float = 60.0,
    reason: str = "",
    counts: bool = True,
    **params: Value,
) -> TrialRow:
    return TrialRow(trial, state, values, seconds, params, FOLDER, reason, True, counts)


def summary(*rows: TrialRow, objectives: int = 1) -> StudySummary:
    complete = [one for one in rows if one.values]
    best = max(complete, key=lambda one: one.values, default=None)
    front = tuple(complete) if objectives > 1 else ()
    names = ("val_accuracy", "parameters")[:objectives]
    return StudySummary("toy", FOLDER, (True,) * objectives, rows, best, front, names)


def test_each_slot_shows_its_trial_and_an_idle_one_waits() -> None:
    with display(slots=3, width=120) as shown:
        shown.progress.trial_started(0, spec(4))
        shown.progress.trial_started(2, spec(5, **{"optimizer.learning_rate": 0.001}))
        shown.clock.now += 75
        shown.progress.epoch(2, spec(5), EpochReport(3, 0.98765, "unfrozen", steps=6))
        assert shown.frame()[:7] == [
            "slot  place  trial  progress               val_accuracy   time",
            "   0  gpu 0      4  starting                             01:15",
            "",
            "   1  gpu 1         waiting",
            "",
            "   2  gpu 2      5  unfrozen epoch 4 of 6        0.9877  01:15",
            "      optimizer.learning_rate=0.001",
        ]
        shown.clock.now += 3600
        shown.progress.epoch(0, spec(4), EpochReport(3, 4049571.0))
        shown.progress.trial_finished(2, row(5, 0.98765), summary(row(5, 0.98765)))
        assert shown.frame()[1:6:2] == [
            "   0  gpu 0      4  step 3         4049571  1:01:15",
            "   1  gpu 1         waiting",
            "   2  gpu 2         waiting",
        ]


def test_what_takes_long_within_a_trial_is_shown_until_it_is_done() -> None:
    with display(slots=1, width=120) as shown:
        shown.progress.trial_started(0, spec(4))
        shown.progress.advance(0, spec(3), Advance("decoding images", 40, 50))
        assert "starting" in shown.frame()[1]
        for done, progress in ((20, "decoding images 40%"), (50, "starting")):
            shown.progress.advance(0, spec(4), Advance("decoding images", done, 50))
            assert progress in shown.frame()[1]
        shown.progress.advance(0, spec(4), Advance("frozen epoch 1", 20, 50))
        shown.progress.epoch(0, spec(4), EpochReport(0, 0.9, "frozen", steps=6))
        assert "frozen epoch 1 of 6" in shown.frame()[1]


def test_a_report_that_comes_after_its_trial_has_ended_is_not_shown() -> None:
    with display() as shown:
        shown.progress.trial_started(0, spec(1))
        shown.progress.trial_finished(0, row(1, 0.5), summary(row(1, 0.5)))
        shown.progress.epoch(0, spec(1), EpochReport(3, 0.9))
        assert "waiting" in shown.frame()[1]
        assert not shown.frame()[2]
        shown.progress.trial_started(0, spec(2))
        shown.progress.epoch(0, spec(1), EpochReport(3, 0.9))
        assert "starting" in shown.frame()[1]


def test_parameters_have_the_shortest_names_that_say_which_is_meant() -> None:
    params: dict[str, Value] = {
        "optimizer.name": "adam",
        "phases.unfrozen.learning_rate": 0.25,
        "phases.frozen.epochs": 3,
        "phases.unfrozen.epochs": 5,
        "batch_size": 16,
    }
    with display(width=200) as shown:
        shown.progress.trial_started(0, spec(1, **params))
        names = "optimizer.name=adam  unfrozen.learning_rate=0.25  frozen.epochs=3"
        assert shown.frame()[2] == f"      {names}  unfrozen.epochs=5  batch_size=16"


def test_parameters_are_cut_before_anything_else_is() -> None:
    for height, start in (
        (24, "      b=yyy"),
        (12, "unfrozen epoch 4 of 6        0.9877  00:00  a"),
    ):
        with display(slots=3, width=80, height=height) as shown:
            shown.progress.trial_started(0, spec(1, a="x" * 200, b="y" * 200))
            shown.progress.epoch(0, spec(1), EpochReport(3, 0.98765, "unfrozen", steps=6))
            line = shown.frame()[3 if height == 24 else 1]
            assert start in line
            assert line.endswith(("x…", "y…"))
            assert len(line) == 80


def test_parameters_that_fit_a_narrow_terminal_on_two_lines_are_not_cut() -> None:
    params: dict[str, Value] = {
        "optimizer.learning_rate": 0.00123,
        "phases.unfrozen.learning_rate": 0.000123,
        "batch_size": 32,
    }
    with display(slots=1) as shown:
        shown.progress.trial_started(0, spec(1, **params))
        shown.progress.trial_finished(0, row(0, 0.5, **params), summary(row(0, 0.5, **params)))
        shown.progress.trial_started(0, spec(1, **params))
        both = [
            "optimizer.learning_rate=0.00123  unfrozen.learning_rate=0.000123",
            "batch_size=32",
        ]
        assert shown.frame()[2:4] == [f"      {line}" for line in both]
        assert shown.frame()[-2:] == [
            "best val_accuracy 0.5 (trial 0)  optimizer.learning_rate=0.00123",
            "unfrozen.learning_rate=0.000123  batch_size=32",
        ]


def test_text_from_outside_is_not_markup() -> None:
    with display(width=200) as shown:
        shown.progress.trial_started(0, spec(1, **{"[red]a": "[/red]\x1b[2K:x:\n"}))
        shown.progress.epoch(0, spec(1), EpochReport(1, 0.5, "[bold]\n"))
        line, params = shown.frame()[1:3]
        assert "[bold] 1" in line
        assert params.endswith("[red]a=[/red]:x:")


def test_the_standing_of_the_study_at_two_widths() -> None:
    rows = [
        row(0, 0.9, batch_size=16, **{"optimizer.learning_rate": 0.01}),
        row(1, state=State.PRUNED),
        row(2, state=State.FAILED, counts=False),
        row(3, state=State.FAILED),
    ]
    best = "best val_accuracy 0.9 (trial 0)  batch_size=16  optimizer.learning_rate=0.01"
    counts = "1 complete, 1 pruned, 1 failed, 1 tried again"
    for width in (100, 200):
        with display(slots=4, total=11, width=width) as shown:
            shown.clock.now += 30
            shown.progress.trial_finished(0, rows[3], summary(*rows))
            lines = [re.sub("[━╺╸]+ +", "bar  ", line) for line in shown.frame()]
            standing = [line for line in lines[-4 if width == 100 else -2 :] if line]
            # 8 trials of 60 s in 4 slots
            narrow = ["bar  3/11  00:35 elapsed, 02:00 left", counts, best]
            wide = [f"bar  3/11  {counts}  00:35 elapsed, 02:00 left", best]
            assert standing == (narrow if width == 100 else wide)


def test_time_counts_from_the_start_of_the_command_and_what_is_left_runs_down() -> None:
    with display(slots=2, total=5, width=200) as shown:
        assert shown.frame()[-2].endswith("0/5  00:05 elapsed")
        assert shown.frame()[-1] == "no result yet"
        rows = row(0, 0.1, seconds=1.0), row(1, 0.2, seconds=40.0)
        shown.progress.trial_finished(0, rows[1], summary(*rows))
        assert shown.frame()[-2].endswith("00:05 elapsed, 01:00 left")
        shown.clock.now += 20
        assert shown.frame()[-2].endswith("00:25 elapsed, 00:40 left")
        shown.clock.now += 200
        assert shown.frame()[-2].endswith("03:45 elapsed, 00:00 left")


def test_a_study_that_is_continued_shows_its_best_at_once() -> None:
    known = summary(row(0, 0.7, batch_size=8), row(1, state=State.PRUNED))
    with display(total=5, so_far=known, width=200) as shown:
        assert shown.frame()[-2].endswith("2/5  1 complete, 1 pruned, 0 failed  00:05 elapsed")
        assert shown.frame()[-1] == "best val_accuracy 0.7 (trial 0)  batch_size=8"


def test_without_a_total_there_is_no_bar_and_no_time_left() -> None:
    with display(total=None, width=200) as shown:
        assert shown.frame()[-2] == "0 done  00:05 elapsed"
        shown.progress.trial_finished(0, row(0, 0.5), summary(row(0, 0.5)))
        counts = "1 complete, 0 pruned, 0 failed"
        assert shown.frame()[-2] == f"1 done  {counts}  00:05 elapsed"
        assert shown.frame()[-1] == "best val_accuracy 0.5 (trial 0)"


def test_several_objectives_show_the_size_of_the_front() -> None:
    with display(width=200) as shown:
        rows = row(0, 0.9, 3.0), row(1, 0.8, 2.0)
        shown.progress.trial_finished(0, rows[1], summary(*rows, objectives=2))
        best = "best val_accuracy 0.9, parameters 3 (trial 0)"
        assert shown.frame()[-1] == f"Pareto front of 2, first objective: {best}"


def test_what_did_not_happen_has_no_colour() -> None:
    complete, failed = row(0, 0.9), row(1, state=State.FAILED)
    with display(width=200) as shown:
        shown.progress.trial_finished(0, complete, summary(complete))
        counts = shown.progress._standing.counts
        assert not any(span.style for span in counts.spans)
        shown.progress.trial_finished(0, failed, summary(complete, failed))
        coloured = [span for span in shown.progress._standing.counts.spans if span.style]
        assert [span.style for span in coloured] == ["red"]


def test_an_older_summary_that_arrives_later_changes_nothing() -> None:
    with display() as shown:
        rows = row(0, 0.1), row(1, 0.2)
        shown.progress.trial_finished(1, rows[1], summary(*rows))
        newest = shown.frame()
        shown.progress.trial_finished(0, rows[0], summary(rows[0]))
        assert shown.frame() == newest


def test_slots_that_do_not_fit_are_counted() -> None:
    with display(slots=8) as shown:
        assert len(shown.frame()) == 1 + 2 * 8 + 4
    with display(slots=16) as shown:
        lines = shown.frame()
        assert len(lines) == 1 + 16 + 4
        assert "more" not in "".join(lines)
    with display(slots=22) as shown:
        lines = shown.frame()
        assert len(lines) == 24 - ROOM_ABOVE + 1
        assert lines[15].startswith("  14  gpu 14")
        assert lines[16] == "+ 7 more"


def play(shown: Display, slots: int, events: random.Random) -> None:
    """Something that may happen in a study."""
    slot, trial = events.randrange(slots), events.randrange(10**5)
    if events.random() < 0.6:
        shown.progress.trial_started(slot, spec(trial, a="v" * events.randrange(100), b=slot))
        phase = events.choice(["", "frozen", "a phase of a long name\n"])
        value, steps = events.uniform(-1e8, 1e8), events.choice([None, 10**4])
        report = EpochReport(events.randrange(10**4), value, phase, steps=steps)
        shown.progress.epoch(slot, spec(trial), report)
    else:
        objectives = events.choice([1, 2])
        complete = row(trial, *[events.random()] * objectives, seconds=1e4)
        ended = events.choice([complete, row(trial, state=State.FAILED, reason="x\n" * 100)])
        shown.progress.trial_finished(slot, ended, summary(ended, objectives=objectives))
    shown.clock.now += events.random() * 1e5


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(10, 220),
    st.integers(10, 60),
    st.sampled_from([None, 0, 1000]),
    st.randoms(use_true_random=False),
)
def test_the_frame_fits_and_its_height_never_changes(
    slots: int, width: int, height: int, total: int | None, events: random.Random
) -> None:
    with display(slots, total, None, width, height) as shown:
        before = len(shown.frame())
        assert before <= height
        for _ in range(6):
            play(shown, slots, events)
            lines = shown.frame()
            assert len(lines) == before
            assert max(map(len, lines)) <= width


def test_ended_trials_stay_above_in_their_colours() -> None:
    best, pruned = row(0, 0.9, batch_size=8), row(1, state=State.PRUNED, reason="median 0.58")
    failed = row(2, state=State.FAILED, reason="killed")
    with display() as shown:
        shown.progress.note("study toy continues")
        shown.progress.trial_finished(0, best, summary(best))
        shown.progress.trial_finished(0, pruned, summary(best, pruned))
        shown.progress.trial_finished(0, failed, summary(best, pruned, failed))
        written = shown.file.getvalue()
    printed = "trial 0 complete after 60.0 s: val_accuracy 0.9 (best so far) with batch_size=8"
    assert f"\x1b[1m{printed}\x1b[0m" in written
    assert "\x1b[33mtrial 1 pruned after 60.0 s: median 0.58\x1b[0m" in written
    assert "\x1b[31mtrial 2 failed after 60.0 s: killed\x1b[0m" in written
    # the table is written in the same breath and keeps its own colours
    assert written.count("waiting") == written.count("\x1b[2m   ") > 0
    assert screen(shown.file.getvalue())[:4] == [
        "study toy continues",
        "trial 0 complete after 60.0 s: val_accuracy 0.9 (best so far) with batch_size=8",
        "trial 1 pruned after 60.0 s: median 0.58",
        "trial 2 failed after 60.0 s: killed",
    ]


def test_closed_twice_it_leaves_the_standing_and_the_cursor() -> None:
    out = sys.stdout
    shown = Display(slots=8)
    shown.progress.trial_started(0, spec(0))
    shown.progress.close()
    shown.progress.close()
    assert sys.stdout is out
    assert shown.file.getvalue().endswith("\x1b[?25h")
    standing, counts, result, *rest = screen(shown.file.getvalue())
    assert standing.endswith("0/20  00:05 elapsed")
    assert not counts
    assert result == "no result yet"
    assert not any(rest)


def test_a_line_after_the_end_is_a_line() -> None:
    shown = Display()
    shown.progress.close()
    shown.progress.note("files: a  b")
    assert shown.file.getvalue().endswith("\x1b[?25hfiles: a  b\n")


def test_slots_speak_at_once_and_every_ended_trial_is_on_the_screen_once() -> None:
    slots, each = 4, 25
    shown = Display(slots=slots, total=slots * each)
    ready = threading.Barrier(slots + 1)
    at_work = threading.Semaphore(0)
    rows: list[TrialRow] = []

    def slot(index: int) -> None:
        ready.wait()
        for trial in range(index * each, (index + 1) * each):
            shown.progress.trial_started(index, spec(trial, x=trial))
            shown.progress.epoch(index, spec(trial), EpochReport(1, 0.5, "frozen"))
            ended = row(trial, state=State.FAILED, reason="killed")
            rows.append(ended)
            shown.progress.trial_finished(index, ended, summary(*rows))
        at_work.release()

    threads = [threading.Thread(target=slot, args=(index,), daemon=True) for index in range(slots)]
    for thread in threads:
        thread.start()
    ready.wait()
    # rich refreshes four times a second; here it does so all the time
    while any(thread.is_alive() for thread in threads):
        shown.progress._live.refresh()
        at_work.acquire(timeout=0.001)
    shown.progress.close()
    lines = [line for line in screen(shown.file.getvalue()) if line]
    expected = [f"trial {trial} failed after 60.0 s: killed" for trial in range(slots * each)]
    assert sorted(lines[:-3]) == sorted(expected)
    assert lines[-2:] == ["0 complete, 0 pruned, 100 failed", "no result yet"]
