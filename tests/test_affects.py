"""Each key of the recipe declares what it affects; hashes and fingerprints follow from that."""

import functools
import operator
from typing import Annotated

import pytest
from changes import BASE, CHANGES
from hydra.errors import ConfigCompositionException
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from recipes import recipe

from sweeper.config import TRAINING, Affects, Recipe, keys_of, without
from sweeper.config.affects import check_declarations, declared
from sweeper.config.fields import Closed
from sweeper.errors import ConfigError
from sweeper.train.building import backbone_key
from sweeper.train.fit.stages import stage_keys

DECLARED = declared(Recipe)
ELSEWHERE = Affects.PLACE | Affects.AFTERWARDS
OF_OTHER_CHOICES = {
    *("backbone.name", "backbone.width_coefficient", "backbone.depth_coefficient", "backbone.phi"),
    *("dataset.source", "dataset.name", "dataset.path", "dataset.data_dir", "dataset.root"),
    *("dataset.train_split", "dataset.test_split", "dataset.validation_split"),
    *("dataset.image_key", "dataset.label_key", "dataset.image_column", "dataset.label_column"),
    *("dataset.split_column", "dataset.on_corrupt", "dataset.max_pixels", "validation.folds"),
    *("freeze.unfreeze_from", "freeze.unfreeze_layers", "freeze.scratch", "head.one_logit"),
    *("schedule.monitor", "schedule.factor", "schedule.patience", "schedule.min_delta"),
    *("schedule.min_learning_rate", "schedule.steps"),
}
"""Keys of data sets that are files, of other schedules, and the like; they are as their group."""


def effects_of(key: str) -> Affects:
    """What a change of ``key`` is declared to affect; a group has the effects of its name."""
    return DECLARED[key] if key in DECLARED else DECLARED[f"{key}.name"]


def test_every_key_is_tried() -> None:
    own = {key for key in DECLARED if not key.startswith(("phases.frozen.", "phases.unfrozen."))}
    assert own == {key for key in CHANGES if not key.startswith("phases.")} | OF_OTHER_CHOICES


def derived(made: Recipe) -> dict[str, object]:
    """All that is made of the declarations, by what a change of it means."""
    stages = stage_keys(made)
    return {
        "backbone": backbone_key(made),
        "frozen": stages["frozen"],
        "unfrozen": stages["unfrozen"],
        "prebuilt": made.only(Affects.IMAGES | Affects.FEATURES),
        "compared": without(made, ELSEWHERE),
    }


@settings(max_examples=25, deadline=None)
@given(keys=st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=3, unique=True))
def test_what_is_derived_changes_with_the_keys_that_it_depends_on(keys: list[str]) -> None:
    try:
        after = recipe(*BASE, *(CHANGES[key] for key in keys))
    except (ConfigError, ConfigCompositionException):
        assume(False)  # such as two ways to clip, or a key that another schedule does not have
    effects = [effects_of(key) for key in keys]
    together = functools.reduce(operator.or_, effects)
    old, new = derived(recipe(*BASE)), derived(after)
    assert {name for name in old if old[name] != new[name]} == {
        *(["backbone"] if together & Affects.BACKBONE else []),
        *(["frozen"] if together & Affects.FROZEN else []),
        *(["unfrozen"] if together & TRAINING else []),
        *(["prebuilt"] if together & (Affects.IMAGES | Affects.FEATURES) else []),
        *(["compared"] if any(not one & ELSEWHERE for one in effects) else []),
    }


def test_a_key_without_a_declaration_does_not_start() -> None:
    class Inner(Closed):
        declared: Annotated[int, Affects.IMAGES]
        forgotten: int

    class Outer(Closed):
        inner: Inner | None
        other: Annotated[Inner, Affects.FEATURES]

    with pytest.raises(TypeError, match=r"^inner\.forgotten: say what the key affects"):
        check_declarations(Outer)


def test_an_inner_declaration_narrows_that_of_its_group() -> None:
    assert DECLARED["optimizer.layer_decay"] == Affects.UNFROZEN
    assert DECLARED["phases.unfrozen.optimizer.layer_decay"] == Affects.UNFROZEN
    assert DECLARED["phases.frozen.optimizer.layer_decay"] == Affects(0)
    assert DECLARED["phases.frozen.optimizer.weight_decay"] == Affects.FROZEN


def test_keywords_that_the_schema_leaves_to_keras_affect_what_their_group_does() -> None:
    one, other = recipe("optimizer=sgd"), recipe("optimizer=sgd", "optimizer.momentum=0.5")
    assert one.only(Affects.FROZEN) != other.only(Affects.FROZEN)
    assert one.only(Affects.IMAGES) == other.only(Affects.IMAGES)


def test_a_group_stands_for_its_keys_where_all_are_meant() -> None:
    assert keys_of(Recipe, Affects.PLACE) == [
        *("keep_weights", "examine_data", "cache.budget_gb", "executor", "tracking")
    ]
    assert keys_of(Recipe, Affects.AFTERWARDS) == ["confirm"]
    assert keys_of(Recipe, Affects.RECORD) == ["name", "checkpoint_epochs"]
