"""The plan of a sweep, without the sweep."""

import io
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from rich.console import Console

from sweeper.execute.executor import Placement
from sweeper.search.hooks import Entry
from sweeper.search.plan import judged_by, print_plan, searched, slots, trials
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.space.search_space import SearchSpace, parse_space


def space(params: dict[str, Any]) -> SearchSpace:
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}, "depth": 1})
    return parse_space(OverridesParser.create(), params, [], lambda _overrides: config)


def test_each_parameter_has_its_range_and_its_conditions() -> None:
    made = space(
        {
            "optimizer": "choice(adam, sgd)",
            "optimizer.rate": "tag(log, interval(1e-4, 1e-2))",
            "optimizer.momentum": {"when": {"optimizer": "sgd"}, "value": "interval(0.5, 0.9)"},
            "drops": {"when": {"depth": [1, 2, 3]}, "value": "interval(0, 1)"},
            "depth": [
                {"when": {"optimizer": ["sgd", "adam"]}, "value": "range(1, 4)"},
                {"value": "range(0, 10, 3)"},
            ],
        }
    )
    assert searched(made).splitlines() == [
        "optimizer           adam or sgd",
        "optimizer.rate      0.0001 to 0.01, logarithmic",
        "optimizer.momentum  0.5 to 0.9, when optimizer is sgd",
        "depth               1 to 3, when optimizer is sgd or adam",
        "                    0 to 9 in steps of 3",
        "drops               0 to 1, when depth is 1 to 3",
    ]
    assert searched(space({})) == "nothing: every trial runs the same configuration"


@pytest.mark.parametrize(
    ("names", "inline", "shown"),
    [
        (["cpu"], False, "1 trial at a time on cpu, 4 threads each"),
        (["cpu"], True, "1 trial at a time, in this process"),
        (["gpu 0", "gpu 1"], False, "2 trials at a time on gpu 0, gpu 1"),
        (["gpu 0", "gpu 1", "gpu 0"], False, "3 trials at a time on gpu 0 (2), gpu 1"),
    ],
)
def test_slots_and_their_devices(names: list[str], inline: bool, shown: str) -> None:
    assert slots([Placement(name) for name in names], 4, not inline) == shown


@pytest.mark.parametrize(
    ("wanted", "total", "done", "shown"),
    [
        ({}, 20, 0, "20 to run"),
        ({}, 20, 5, "20 in all: 5 done, 15 to run"),
        ({}, 20, 20, "20 of 20 done, nothing left to run; more: hydra.sweeper.n_trials=<total>"),
        (
            {"target": 0.9, "patience": 7},
            20,
            0,
            "20 to run; ends early at 0.9 or after 7 trials without a better one",
        ),
        (
            {"n_trials": None, "timeout": 60},
            None,
            3,
            "3 done; no limit to their number, the sweep ends after 60 s",
        ),
    ],
)
def test_trials_done_and_to_do(
    wanted: dict[str, Any], total: int | None, done: int, shown: str
) -> None:
    assert trials(SweepSettings.read(wanted), total, done) == shown


def test_objectives_say_which_way_is_good() -> None:
    both = ["maximize", "minimize"]
    assert judged_by(["val_accuracy", "flops"], both) == (
        "val_accuracy (higher is better), flops (lower is better)"
    )
    assert judged_by([], ["minimize"]) == "what a trial returns (lower is better)"


ENTRIES = [
    Entry("data", "[old] " + "words " * 20 + "\x1b[2Jend"),
    Entry("MLflow", "its page:", "mlflow ui " + "x" * 100),
]


def printed(**console: Any) -> list[str]:
    file = io.StringIO()
    print_plan(ENTRIES, Console(file=file, markup=False, highlight=False, **console))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_terminal_gets_whole_words_and_commands_that_can_be_copied() -> None:
    shown = printed(force_terminal=True, color_system=None, width=60)
    assert shown[0].startswith("data      [old] words")
    assert all(line.startswith("            words") for line in shown[1:3])
    assert max(map(len, shown[:3])) <= 60
    assert shown[-2:] == ["MLflow    its page:", " " * 10 + "mlflow ui " + "x" * 100]
    assert not any("\x1b" in line for line in shown)


def test_a_file_gets_a_line_for_each_thing() -> None:
    shown = printed(force_terminal=False, width=60)
    assert len(shown) == 3
    assert shown[0].endswith("words end")
