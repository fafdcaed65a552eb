"""Recipes after published examples have their numbers of weights, in each phase.

Networks are built without weights, in 1 to 3 s each.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import yaml
from recipes import recipe

from sweeper.models.freezing import split_block
from sweeper.paths import conf_dir
from sweeper.train.building import build_classifier_for
from sweeper.train.fit.stages import planned


@dataclass(frozen=True)
class Published:
    """Numbers of weights: all of the backbone, of the head, and those that each phase trains.

    ``variables`` are those that the last phase trains. ``splits`` says whether the source's layers
    split a block, which a recipe is warned of.
    """

    overrides: tuple[str, ...]
    classes: int
    backbone: int
    head: int
    trains: tuple[int, ...]
    variables: int
    splits: bool = False


_B0, _B0_HEAD = 4_049_571, 1280 * 120 + 120
_HEAD_BN = 4 * 1280
SOURCES = {
    # keras.io, "Image classification via fine-tuning with EfficientNet": `trainable = True` for the
    # top 20 layers of the model, BatchNorm left out
    "dogs_b0": Published(
        (), 120, _B0, _B0_HEAD + _HEAD_BN, (_B0_HEAD + _HEAD_BN // 2, 1_277_864), 12
    ),
    # the same, from scratch: all but the statistics of BatchNorm and Normalization learn
    "dogs_b0_scratch": Published((), 120, _B0, _B0_HEAD, (4_203_291 - 42_016 - 7,), 213),
    # an Xception fine-tune on 17 classes: Flatten and one Dense layer on 7 x 7 x 2048
    "folder_xception": Published(
        ("dataset.path=/absent",),
        17,
        20_861_480,
        7 * 7 * 2048 * 17 + 17,
        (20_806_952 + 7 * 7 * 2048 * 17 + 17,),
        156,
    ),
    # tensorflow.org, "Transfer learning and fine-tuning": 154 layers, those from 100 on train
    "cats_dogs_mobilenet_v2": Published(
        (), 2, 2_257_984, 1_281, (1_281, 1_862_721), 56, splits=True
    ),
}


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_a_recipe_trains_what_its_source_trains(name: str) -> None:
    source = SOURCES[name]
    made = recipe(f"+experiment={name}", "backbone.weights=null", *source.overrides)
    classifier = build_classifier_for(made, source.classes)
    assert classifier.backbone.count_params() == source.backbone
    assert classifier.head.count_params() == source.head
    trains = []
    for phase in planned(made):
        split_model = classifier.split_model(phase.freeze).thaw()
        trains.append(sum(int(np.prod(one.shape)) for one in split_model.trainable_variables))
    assert tuple(trains) == source.trains
    assert len(split_model.trainable_variables) == source.variables
    split = split_block(classifier.backbone, classifier.blocks, made.freeze)
    assert (split is not None) == source.splits


def test_the_published_totals_are_met() -> None:
    total = SOURCES["dogs_b0_scratch"].backbone + SOURCES["dogs_b0_scratch"].head
    assert total == 4_203_291
    assert SOURCES["dogs_b0"].trains[-1] == 1_277_864


def test_recipes_are_as_their_sources_beside_the_network() -> None:
    dogs = recipe("+experiment=dogs_b0")
    assert dogs.augment.flip == "horizontal_and_vertical"  # RandomFlip() of Keras flips both ways
    assert (dogs.augment.rotation, dogs.augment.translation, dogs.augment.contrast) == (
        0.15,
        0.1,
        0.1,
    )
    assert dogs.optimizer.learning_rate == 1e-2
    assert [each.phase.learning_rate for each in planned(dogs)] == [1e-2, 1e-5]
    scratch = recipe("+experiment=dogs_b0_scratch")
    assert not scratch.head.batch_norm
    (only,) = planned(scratch)
    assert (only.phase.epochs, only.phase.learning_rate) == (40, 1e-3)
    xception = recipe("+experiment=folder_xception", "dataset.path=/absent")
    assert xception.image_size == 224
    assert xception.freeze.batch_norm == "trained"
    cats = recipe("+experiment=cats_dogs_mobilenet_v2")
    assert cats.head.one_logit
    assert cats.freeze.batch_norm == "affine"
    assert [each.phase.epochs for each in planned(cats)] == [10, 10]


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (conf_dir() / "experiment").iterdir())
)
def test_a_recipe_after_a_source_says_how_it_differs(name: str) -> None:
    header = (conf_dir() / "experiment" / f"{name}.yaml").read_text().partition("\nname:")[0]
    ours = name.startswith("digits")
    assert ("# Differs from the source: " in header) == (not ours)


def test_the_sweep_of_the_dogs_searches_the_batch_size() -> None:
    text = (conf_dir() / "experiment" / "dogs_b0.yaml").read_text()
    assert "batch_size" in yaml.safe_load(text)["hydra"]["sweeper"]["params"]
