"""Freezing by block, by name and by number of layers; the numbers of published examples."""

from typing import Any

import keras
import numpy as np
import pytest
from networks import (
    SIZE,
    backbone_config,
    freeze_config,
    head_config,
    one_step,
    random_images,
)
from recipes import recipe

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.build import Classifier, attach_head
from sweeper.models.freezing import check_freeze, split_block
from sweeper.models.pretrained.networks import build_backbone

BatchNorm = keras.layers.BatchNormalization


def _trainable(classifier: Classifier) -> list[str]:
    return [layer.name for layer in classifier.backbone.layers if layer.trainable]


def _blocks(model: keras.Model, *names: str) -> list[str]:
    """Names of the layers that begin with the name of a block, BatchNorm left out."""
    return [
        layer.name
        for layer in model.layers
        if layer.name.startswith(names) and not isinstance(layer, BatchNorm)
    ]


@pytest.mark.parametrize("name", ["block1b", "block1b_bn", "block1b_add"])
def test_everything_from_a_block_trains(name: str, tiny: keras.Model) -> None:
    classifier = attach_head(tiny, head_config(), 2)
    split_model = classifier.split_model(freeze_config(unfreeze_from=name)).thaw()
    assert _trainable(classifier) == _blocks(tiny, "block1b_", "block2a_")
    assert [layer.name for layer in split_model.frozen.layers][-1] == "block1a_bn"


def test_an_operation_that_is_no_layer_stands_for_its_block() -> None:
    x = images = keras.Input((1, 1, 4), name="image")
    for block in ("block1", "block2"):
        x = keras.layers.Dense(4, name=f"{block}_dense")(x) + x
    model = keras.Model(images, x, name="Residual")
    addition = model.operations[-1].name
    assert addition not in [layer.name for layer in model.layers]
    classifier = attach_head(model, head_config(), 2)
    classifier.split_model(freeze_config(unfreeze_from=addition)).thaw()
    assert _trainable(classifier) == ["block2_dense"]


def test_an_unknown_name_is_refused_with_the_nearest(lite0: keras.Model) -> None:
    with pytest.raises(ConfigError) as caught:
        check_freeze(lite0, freeze_config(unfreeze_from="block6_a"))
    (fault,) = caught.value.faults
    assert fault.startswith(
        "freeze.unfreeze_from must name a block or a layer of EfficientNetLite0, got 'block6_a'; "
        "did you mean 'block6a'?; its blocks: stem, block1a, block2a, "
    )
    check_freeze(lite0, freeze_config(unfreeze_from="block6a"))
    check_freeze(lite0, freeze_config(unfreeze_from="block6a_dwconv"))


@pytest.mark.parametrize(
    ("freeze", "fault"),
    [
        ({"unfreeze_blocks": 19}, "freeze.unfreeze_blocks must be <= 18, the number of blocks of"),
        ({"unfreeze_layers": 152}, "freeze.unfreeze_layers must be <= 151, the number of layers"),
    ],
)
def test_there_are_only_so_many(freeze: Any, fault: str, lite0: keras.Model) -> None:
    assert len(lite0.layers) == 151
    with pytest.raises(ConfigError, match=fault):
        check_freeze(lite0, freeze_config(**freeze))
    check_freeze(lite0, freeze_config(**{key: value - 1 for key, value in freeze.items()}))


def test_our_preprocessing_is_not_counted_among_the_layers() -> None:
    model = build_backbone(backbone_config("MobileNetV2"), SIZE, None)
    assert len(model.layers) == 155
    check_freeze(model, freeze_config(unfreeze_layers=154))
    with pytest.raises(ConfigError, match="must be <= 154, the number of layers of MobileNetV2"):
        check_freeze(model, freeze_config(unfreeze_layers=155))


# layers of Tiny: image rescaling | block1a conv bn | block1b conv bn drop add | block2a ...
@pytest.mark.parametrize(
    ("count", "top_frozen"),
    [
        (1, "block2a"),
        (3, "block2a"),  # of this block BatchNorm alone, which stays frozen
        (4, "block1b"),
        (7, "block1b"),
        (8, "block1a"),
        (9, "block1a"),
        (10, None),
        (12, None),
    ],
)
def test_the_cut_is_below_the_lowest_layer_that_learns(
    count: int, top_frozen: str | None, tiny: keras.Model
) -> None:
    classifier = attach_head(tiny, head_config(), 2)
    freeze = freeze_config(unfreeze_layers=count)
    split_model = classifier.split_model(freeze).thaw()
    tail = [layer.name for layer in tiny.layers[-count:] if not isinstance(layer, BatchNorm)]
    assert _trainable(classifier) == tail
    frozen = [layer.name for layer in split_model.frozen.layers] if split_model.frozen else []
    convolutions = [name for name in frozen if name.endswith("_conv")]
    assert convolutions[-1:] == ([f"{top_frozen}_conv"] if top_frozen else [])
    assert (split_model.unfrozen is None) == (top_frozen == "block2a")
    assert split_block(tiny, classifier.blocks, freeze) is None


def test_a_split_block_is_reported(tiny: keras.Model, lite0: keras.Model) -> None:
    blocks = attach_head(tiny, head_config(), 2).blocks
    trained = freeze_config(unfreeze_layers=7, batch_norm="trained")
    assert split_block(tiny, blocks, trained) == (
        "freeze.unfreeze_layers=7 splits the block block1b of Tiny: 1 of its 2 layers with weights "
        "train; freeze.unfreeze_blocks=2 trains all of it, 1 none"
    )
    assert split_block(tiny, blocks, freeze_config(unfreeze_blocks=2)) is None
    assert split_block(tiny, blocks, freeze_config(unfreeze_from="block1b_bn")) is None
    blocks = attach_head(lite0, head_config(), 2).blocks
    tutorial = split_block(lite0, blocks, freeze_config(unfreeze_layers=20))
    assert tutorial is not None
    assert "splits the block block6d of EfficientNetLite0: 2 of its 3 layers" in tutorial
    assert "freeze.unfreeze_blocks=3 trains all of it, 2 none" in tutorial


def test_every_way_to_unfreeze_has_an_option() -> None:
    assert recipe("freeze=top_layers").freeze == freeze_config(unfreeze_layers=20)
    from_block = recipe("freeze=from_block", "freeze.unfreeze_from=block6a").freeze
    assert from_block == freeze_config(unfreeze_from="block6a")
    with pytest.raises(ConfigError, match=r"freeze\.unfreeze_from is missing"):
        recipe("freeze=from_block")


def _moved(classifier: Classifier, freeze: config.Freeze) -> set[str]:
    """Weights of the backbone that one step changes."""
    split_model = classifier.split_model(freeze).thaw()
    weights = classifier.backbone.weights
    before = [weight.numpy() for weight in weights]
    one_step(split_model, random_images(8))
    pairs = zip(weights, before, strict=True)
    return {weight.path for weight, old in pairs if not np.array_equal(weight.numpy(), old)}


def _affine(*layers: str) -> set[str]:
    """Without what follows statistics."""
    return {path for path in _all(*layers) if "moving" not in path}


def _all(*layers: str) -> set[str]:
    parts = {"conv": ("kernel", "bias"), "bn": ("gamma", "beta", "moving_mean", "moving_variance")}
    return {f"{layer}/{part}" for layer in layers for part in parts[layer.split("_")[1]]}


@pytest.mark.parametrize(
    ("freeze", "moved"),
    [
        ({"unfreeze_blocks": 1}, _all("block2a_conv")),
        ({"unfreeze_blocks": 1, "batch_norm": "trained"}, _all("block2a_conv", "block2a_bn")),
        (
            {"unfreeze_from": "block1b", "batch_norm": "trained"},
            _all("block1b_conv", "block1b_bn", "block2a_conv", "block2a_bn"),
        ),
        # the convolution of block1b is below these layers, its BatchNorm among them
        (
            {"unfreeze_layers": 7, "batch_norm": "trained"},
            _all("block1b_bn", "block2a_conv", "block2a_bn"),
        ),
        ({"unfreeze_layers": 7}, _all("block2a_conv")),
        ({"unfreeze_blocks": 1, "batch_norm": "affine"}, _affine("block2a_conv", "block2a_bn")),
        (
            {"unfreeze_layers": 7, "batch_norm": "affine"},
            _affine("block1b_bn", "block2a_conv", "block2a_bn"),
        ),
        (
            {"unfreeze_blocks": "all", "batch_norm": "affine"},
            _affine("block1a_conv", "block1a_bn", "block1b_conv", "block1b_bn")
            | _affine("block2a_conv", "block2a_bn"),
        ),
        (
            {"unfreeze_blocks": "all", "batch_norm": "trained"},
            _all("block1a_conv", "block1a_bn", "block1b_conv", "block1b_bn")
            | _all("block2a_conv", "block2a_bn"),
        ),
    ],
)
def test_a_step_moves_exactly_what_is_thawed(
    freeze: Any, moved: set[str], tiny: keras.Model
) -> None:
    for layer in tiny.layers:  # without stochastic depth, which may drop a whole batch
        if layer.name.endswith("_drop"):
            layer.rate = 0.0
    classifier = attach_head(tiny, head_config(), 2)
    expected = moved - {"block1a_conv/bias"}  # it has none
    assert _moved(classifier, freeze_config(**freeze)) == expected


def test_what_splits_a_block_is_named() -> None:
    backbone = build_backbone(backbone_config("MobileNetV2"), 160, None)
    classifier = attach_head(backbone, head_config(), 2)
    freeze = freeze_config(unfreeze_layers=54, batch_norm="affine")
    assert split_block(classifier.backbone, classifier.blocks, freeze) == (
        "freeze.unfreeze_layers=54 splits the block block_11 of MobileNetV2: 4 of its 6 layers "
        "with weights train; freeze.unfreeze_blocks=7 trains all of it, 6 none"
    )
