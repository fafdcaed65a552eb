"""Keys that change nothing because of another one are named before trials are spent on them."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from recipes import recipe

from sweeper.config import unused_overrides
from sweeper.paths import conf_dir
from sweeper.search.space.search_space import parse_space
from sweeper.search.trials.compose import Composer
from sweeper.validation import parse

SHIPPED = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
SCRATCH = "freeze=scratch"
NO_UNFROZEN = "phases.unfrozen=null"
SHORT = ("phases.frozen.epochs=3", "phases.unfrozen.epochs=2")
OWN = (
    "+optimizer@phases.frozen.optimizer=adam",
    "+optimizer@phases.unfrozen.optimizer=sgd",
)


def unused(*overrides: str) -> set[str]:
    """The keys among ``overrides`` that are named."""
    found = unused_overrides([recipe(*overrides)], [overrides])
    return {text.split(" ")[0] for text in found}


@pytest.mark.parametrize(
    ("beside", "key"),
    [
        ([SCRATCH], "phases.unfrozen.learning_rate=1e-3"),
        ([SCRATCH], "backbone.weights=imagenet"),
        ([NO_UNFROZEN], "freeze.unfreeze_blocks=4"),
        ([NO_UNFROZEN], "freeze=everything"),
        ([NO_UNFROZEN], "drop_connect_rate=0.3"),
        ([NO_UNFROZEN], "optimizer.layer_decay=0.9"),
        (["freeze=head_only"], "freeze.batch_norm=trained"),
        (["freeze=head_only"], "drop_connect_rate=0.3"),
        (["freeze.unfreeze_blocks=0"], "optimizer.layer_decay=0.9"),
        (OWN, "optimizer=lion"),
        (OWN, "+optimizer.beta_1=0.8"),
        (OWN, "+optimizer.weight_decay=0.01"),
        (OWN, "phases.unfrozen.optimizer.learning_rate=0.01"),
        (["phases.frozen.learning_rate=0.01"], "optimizer.learning_rate=0.02"),
        ([], "+optimizer.ema_momentum=0.9"),
        (["optimizer=schedule_free_adamw"], "+optimizer.ema_momentum=0.9"),
        (["optimizer=sgd", "optimizer.momentum=0"], "optimizer.nesterov=true"),
        (
            [
                "+schedule@phases.frozen.schedule=cosine",
                "+schedule@phases.unfrozen.schedule=cosine",
            ],
            "schedule.warmup_epochs=1",
        ),
        (
            ["schedule=cosine", "schedule.warmup_epochs=5"],
            "schedule.final_fraction=0.1",
        ),
        (["schedule=plateau", *SHORT], "schedule.factor=0.3"),
        (["schedule=table"], "schedule.steps=[[5,0.1],[9,0.01]]"),
        ([], "early_stopping.min_delta=0.01"),
        (["early_stopping.restore_best=false"], "early_stopping.monitor=val_loss"),
        ([], "early_stopping.patience=5"),
        ([], "cache.views=4"),
        (["augment=flip_rotate", SCRATCH], "cache.views=4"),
        (["augment=flip_rotate", "cache.budget_gb=0"], "cache.views=4"),
        (["augment=flip_rotate"], "augment.rand_augment_magnitude=0.4"),
        (["validation=kfold"], "dataset.validation_fraction=0.3"),
        (["validation=test"], "dataset.validation_fraction=0.3"),
    ],
)
def test_a_key_that_changes_nothing_is_named(beside: list[str], key: str) -> None:
    assert unused(*beside, key) == {key.split("=", maxsplit=1)[0].lstrip("+")}


@pytest.mark.parametrize(
    "overrides",
    [
        ("phases.unfrozen.learning_rate=1e-3", "freeze.unfreeze_blocks=4", "drop_connect_rate=0.3"),
        ("optimizer.learning_rate=0.01", "optimizer.layer_decay=0.9", "+optimizer.beta_1=0.8"),
        (NO_UNFROZEN, "optimizer.learning_rate=0.01", "phases.frozen.epochs=3"),
        (SCRATCH, "optimizer.learning_rate=0.01", "drop_connect_rate=0.3"),
        (SCRATCH, "phases.frozen.epochs=3", "phases.unfrozen.epochs=3"),  # they are added up
        (SCRATCH, "+optimizer.ema_momentum=0.9", "freeze.batch_norm=affine"),
        (*OWN[:1], "optimizer=lion", "+optimizer.beta_1=0.8"),
        ("+optimizer.use_ema=true", "+optimizer.ema_momentum=0.9"),
        ("optimizer=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true"),
        ("schedule=cosine", "schedule.warmup_epochs=1", "schedule.final_fraction=0.1"),
        ("schedule=plateau", "schedule.patience=2", "schedule.factor=0.3"),
        ("schedule=table", "schedule.steps=[[4,0.1]]"),
        ("+schedule@phases.frozen.schedule=cosine", "schedule=cosine"),
        ("early_stopping.patience=2", "early_stopping.min_delta=0.01"),
        ("early_stopping.monitor=val_loss",),
        ("augment=flip_rotate", "cache.views=4"),
        ("augment.rand_augment=2", "augment.rand_augment_magnitude=0.4"),
        ("dataset.validation_fraction=0.3",),
        # they are of where it runs, and one fine-tune is not a search
        ("executor.threads=2", "checkpoint_epochs=null", "name=mine", "tracking.experiment=mine"),
    ],
)
def test_what_has_an_effect_is_not_named(overrides: tuple[str, ...]) -> None:
    assert unused(*overrides) == set()


def test_a_search_is_advised_by_how_often_the_key_matters() -> None:
    lines = [
        ["freeze.unfreeze_blocks=0", "drop_connect_rate=0.1", "executor.threads=1", "seed=3"],
        ["freeze.unfreeze_blocks=3", "drop_connect_rate=0.4", "executor.threads=2", "seed=3"],
    ]
    found = unused_overrides([recipe(*one) for one in lines], lines)
    assert sorted(found) == [
        "drop_connect_rate changes nothing with freeze.unfreeze_blocks=0, where the head alone "
        "trains; give it a condition (when:), see docs/search.md",
        "executor.threads changes nothing in what a trial gives; do not search it",
    ]


def corners(experiment: str) -> Iterator[DictConfig]:
    """Of the search of a shipped recipe, as ``-m`` composes them."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="sweeper"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        lines = [f"+experiment={experiment}"]
        if experiment.startswith("folder"):
            lines.append("dataset.path=photos")
        master = hydra.compose_config("config", lines, run_mode=RunMode.MULTIRUN)
        composer = Composer(HydraContext(hydra.config_loader, Callbacks()), master)
        parser = OverridesParser.create(config_loader=hydra.config_loader)
    params = OmegaConf.to_container(master.hydra.sweeper.params)
    assert isinstance(params, dict)
    space = parse_space(parser, {str(key): params[key] for key in params}, lines, composer)
    for corner in space.corners():
        yield composer.trial(space, corner)


@pytest.mark.parametrize("experiment", SHIPPED)
def test_no_shipped_recipe_searches_in_vain(experiment: str) -> None:
    found = list(corners(experiment))
    lines = [list(one.hydra.overrides.task) for one in found]
    assert len(found) > 1
    assert unused_overrides([parse(one) for one in found], lines) == []
