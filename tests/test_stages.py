"""What a person sees of the work before the first trial."""

import io
import os
import re

import pytest
from rich.console import Console

from sweeper.display import stage_progress
from sweeper.display.stage_progress import LongWork, Stages
from sweeper.records import Advance, Attribute


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def pipe() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=False, width=200), file


def terminal(**environment: str) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=True,
        width=80,
        height=24,
        _environ={"TERM": "xterm"} | environment,
    )
    return console, file


def test_a_pipe_gets_a_line_now_and_then_with_the_time_left() -> None:
    (console, file), clock = pipe(), Clock()
    with Stages(console, "looking", clock) as stages:
        for done in range(1, 101):
            clock.now += 0.5
            stages.note(Advance("decoding images", done, 100))
        stages.note(Attribute("a", 1))
        clock.now += 0.5
        stages.note(Advance("computing features", 1, 2000))
        clock.now += 12
        stages.note(Advance("computing features", 1000, 2000))
        stages.note(Advance("computing features", 2000, 2000))
    assert file.getvalue().splitlines() == [
        "decoding images",
        *(
            f"  {done} of 100 images, about {left} left"
            for done, left in ((21, "00:37"), (41, "00:28"), (61, "00:19"), (81, "00:09"))
        ),
        "  100 images in 00:50",
        "computing features",
        "  1,000 of 2,000 images, about 00:12 left",
        "  2,000 images in 00:12",
    ]


def test_a_pipe_gets_a_line_every_ten_seconds_of_work_that_says_nothing() -> None:
    (console, file), clock = pipe(), Clock()
    with Stages(console, "looking", clock) as stages:
        for _ in range(25):
            clock.now += 1
            stages.look()
        stages.note(Advance("decoding images", 64, 100))
        clock.now += 10
        stages.look()
        clock.now += 10
        stages.look()
        stages.note(Advance("decoding images", 100, 100))
        clock.now += 10
        stages.look()
    assert file.getvalue().splitlines() == [
        "  looking for 00:10",
        "  looking for 00:20",
        "decoding images",
        "  64 of 100 images, about 00:05 left",
        "  at work for 00:20",
        "  at work for 00:30",
        "  100 images in 00:30",
    ]


def test_nobody_need_look_for_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_progress, "SECONDS_BETWEEN_LINES", 0.01)
    read, write = os.pipe()
    with (
        os.fdopen(read) as lines,
        os.fdopen(write, "w") as file,
        Stages(Console(file=file, force_terminal=False, width=200), "looking"),
    ):
        assert lines.readline().startswith("  looking for ")


def test_work_that_is_short_with_few_images_is_a_line_every_ten_seconds() -> None:
    (console, file), clock = pipe(), Clock()
    work = LongWork(console, clock)
    for done in range(1, 16):
        clock.now += 1
        work.note(Advance("testing the model", done, 15))
    work.note(Attribute("a", 1))
    assert file.getvalue().splitlines() == ["  testing the model: 10 of 15 images"]


def test_where_everything_was_there_nothing_is_reported() -> None:
    console, file = pipe()
    with Stages(console, "looking"):
        pass
    assert file.getvalue() == ""


def test_a_terminal_gets_a_bar_that_leaves_a_line() -> None:
    (console, file), clock = terminal(), Clock()
    with Stages(console, "looking", clock) as stages:
        for done in (500, 1000, 1500):
            clock.now += 4
            stages.note(Advance("decoding images", done, 2000))
            assert stages._bar is not None
            stages._bar.refresh()
        assert "1,500 of 2,000 images 0:00:04 left" in plain(file)
    lines = [line.strip() for line in plain(file).splitlines()]
    assert "decoding images" in lines
    assert lines[-1] == "1,500 of 2,000 images in 00:08"


def test_a_dumb_terminal_gets_lines_without_control_codes() -> None:
    console, file = terminal(TERM="dumb")
    with Stages(console, "looking", Clock()) as stages:
        stages.note(Advance("decoding images", 1, 2))
    assert "\x1b" not in file.getvalue()
    assert file.getvalue().splitlines() == ["decoding images", "  1 of 2 images in 00:00"]


def plain(file: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n")
