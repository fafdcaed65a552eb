"""What `-m` searches where nothing is named to search."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import entry
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sweeper.app.preparing.default_space import default_space
from sweeper.config import unused_overrides
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir
from sweeper.search.plan import planned, searched
from sweeper.search.request import Request
from sweeper.search.sweep import Sweep
from sweeper.validation import parse

RATES = {
    "optimizer.learning_rate": "tag(log, interval(0.001, 0.03))",
    "phases.unfrozen.learning_rate": "tag(log, interval(1e-05, 0.0003))",
}
SIZES = {"batch_size": "choice(16, 32, 64)"}
DEPTH = {"freeze.unfreeze_blocks": "range(1, 8)"}
DROPS = {"drop_connect_rate": "interval(0.0, 0.4)"}
DEEP_DROPS = {
    "drop_connect_rate": {
        "when": {"freeze.unfreeze_blocks": [3, 4, 5, 6, 7]},
        "value": DROPS["drop_connect_rate"],
    }
}


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ((), {**RATES, **SIZES, **DEPTH, **DEEP_DROPS}),
        (("backbone=mobilenet_v2",), {**RATES, **SIZES, **DEPTH}),
        (("freeze=everything",), {**RATES, **SIZES, **DROPS}),
        (
            ("freeze=scratch",),
            {"optimizer.learning_rate": RATES["optimizer.learning_rate"], **SIZES, **DROPS},
        ),
        (("freeze=head_only",), {**RATES, **SIZES}),
        (("freeze=top_layers",), {**RATES, **SIZES}),
        (
            ("phases.unfrozen=null",),
            {"optimizer.learning_rate": RATES["optimizer.learning_rate"], **SIZES},
        ),
        (
            ("phases.frozen=null",),
            {
                "phases.unfrozen.learning_rate": RATES["phases.unfrozen.learning_rate"],
                **SIZES,
                **DEPTH,
                **DEEP_DROPS,
            },
        ),
        (
            ("phases.frozen.learning_rate=1e-2", "phases.unfrozen=null"),
            {"batch_size": SIZES["batch_size"]},
        ),
        (("freeze.unfreeze_blocks=2",), {**RATES, **SIZES}),
        (("freeze.unfreeze_blocks=4",), {**RATES, **SIZES, **DROPS}),
        (("batch_size=1", "drop_connect_rate=0.1"), {**RATES, **DEPTH}),
        (("+optimizer@phases.frozen.optimizer=sgd",), {**RATES, **SIZES, **DEPTH, **DEEP_DROPS}),
        (("batch_size=0",), {}),
    ],
)
def test_a_recipe_has_a_default_that_fits_it(
    overrides: tuple[str, ...], wanted: Mapping[str, Any]
) -> None:
    assert default_space(composed(*overrides)) == wanted


def test_a_larger_batch_that_cannot_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeper.app.preparing.memory.machine_bytes", lambda: 32 * 224**2 * 76 + 1)
    assert default_space(composed())["batch_size"] == "choice(16, 32)"


def requested(folder: Path, *arguments: str) -> Request:
    """What a command line asks for, up to where it is checked."""
    found: list[Request] = []

    def keep(sweep: Sweep) -> None:
        found.append(sweep._request)
        raise ConfigError(["enough"])

    with mock.patch.object(Sweep, "_check", keep):
        ended = entry.run(folder, *arguments)
    assert "enough" in ended.screen, ended.screen
    return found[0]


FREEZES = ("top_blocks", "top_2_blocks", "everything", "head_only", "scratch", "top_layers")


@pytest.mark.parametrize(
    "backbone",
    [
        "efficientnet_b0",
        *(pytest.param(name, marks=pytest.mark.more) for name in ("vgg16", "convnext_tiny")),
    ],
)
@pytest.mark.parametrize("freeze", FREEZES)
def test_every_corner_of_a_default_is_a_recipe_and_no_key_of_it_is_idle(
    tmp_path: Path, backbone: str, freeze: str
) -> None:
    request = requested(tmp_path, f"backbone={backbone}", f"freeze={freeze}", "-m")
    assert request.defaulted
    recipes = [parse(corner) for corner in request.corners]
    lines = [list(corner.hydra.overrides.task) for corner in request.corners]
    assert unused_overrides(recipes, lines) == []
    shown = searched(request.space)
    assert "batch_size" in shown
    assert ("drop_connect_rate" in shown) == (
        backbone == "efficientnet_b0" and freeze not in ("head_only", "top_layers")
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("batch_size=8,16",), ["batch_size"]),
        (("seed=range(3)",), ["seed"]),
        (("+hydra.sweeper.params.seed='choice(1,2)'",), ["seed"]),
        (("hydra.sweeper.custom_search_space=os.path.join",), []),
        pytest.param(
            ("+experiment=digits_lite0", "freeze=top_blocks,scratch"), None, marks=pytest.mark.more
        ),
    ],
)
def test_who_names_something_to_search_gets_only_that(
    tmp_path: Path, arguments: tuple[str, ...], names: list[str] | None
) -> None:
    request = requested(tmp_path, *arguments, "-m")
    assert not request.defaulted
    if names is not None:
        assert list(request.space.searched) == names


def test_what_the_command_line_fixes_is_not_searched(tmp_path: Path) -> None:
    request = requested(tmp_path, "optimizer.learning_rate=1e-3", "batch_size=8", "-m")
    assert list(request.space.searched) == [
        "phases.unfrozen.learning_rate",
        "freeze.unfreeze_blocks",
        "drop_connect_rate",
    ]


def test_a_grid_of_the_default_says_what_to_name(tmp_path: Path) -> None:
    ended = entry.run(tmp_path, "-m", "hydra/sweeper/sampler=grid")
    assert ended.code == 2
    assert "optimizer.learning_rate has infinitely many values" in ended.screen
    assert "nothing is named to search, so these are the default" in ended.screen
    assert ended.left == ()


def test_the_plan_says_what_is_a_default_and_how_to_replace_it(tmp_path: Path) -> None:
    def shown(*arguments: str) -> str:
        request = requested(tmp_path, "-m", *arguments)
        (text,) = (one.text for one in planned(request, (), 20, 0) if one.label == "search")
        return text

    default = shown()
    assert "freeze.unfreeze_blocks         1 to 7\n" in default
    assert (
        "drop_connect_rate              0 to 0.4, when freeze.unfreeze_blocks is 3 to 7" in default
    )
    assert "This is the default" in default
    assert "hydra.sweeper.params" in default
    assert shown("batch_size=8,16") == "batch_size  8 or 16"
    custom = "hydra.sweeper.custom_search_space=os.path.join"
    assert shown(custom) == "what os.path.join suggests"
    assert shown(custom, "seed=1,2") == "seed  1 or 2\nand what os.path.join suggests"
