"""Keys that reach nothing in a network: found from its graph."""

import keras
import pytest
from networks import backbone_config, freeze_config
from recipes import recipe

from sweeper.app.preparing.default_space import LEAST_DEPTH_THAT_DROPS
from sweeper.models.blocks import find_blocks
from sweeper.models.pretrained.networks import build_backbone
from sweeper.models.unreached import unused_in_network
from sweeper.train.prepare import prepare


def keys(network: keras.Model, **freeze: object) -> set[str]:
    blocks = find_blocks(network)
    return {one.key for one in unused_in_network(network, blocks, freeze_config(**freeze))}


def test_stochastic_depth_begins_three_blocks_below_the_top_of_b0(b0: keras.Model) -> None:
    # the top convolution, and block7a, which has no way around it
    assert keys(b0, unfreeze_blocks=1) == {"drop_connect_rate"}
    assert keys(b0, unfreeze_blocks=2) == {"drop_connect_rate"}
    assert keys(b0, unfreeze_blocks=3) == set()
    assert keys(b0, unfreeze_layers=8) == {"drop_connect_rate"}
    assert keys(b0, unfreeze_layers=60) == set()
    assert keys(b0, unfreeze_from="block7a") == {"drop_connect_rate"}
    assert keys(b0, unfreeze_blocks="all") == set()
    (found,) = unused_in_network(b0, find_blocks(b0), freeze_config(unfreeze_blocks=2))
    assert found.reason == (
        "with freeze.unfreeze_blocks=2: no layer of stochastic depth of EfficientNetB0 is in what "
        "trains, 3 is the least freeze.unfreeze_blocks for one"
    )


def test_what_is_searched_by_default_reaches_stochastic_depth(b0: keras.Model) -> None:
    for network in (b0, build_backbone(backbone_config("EfficientNetV2B0"), 32, None)):
        assert keys(network, unfreeze_blocks=LEAST_DEPTH_THAT_DROPS) == set()


def test_networks_without_batch_norm() -> None:
    vgg = build_backbone(backbone_config("VGG16"), 32, None)
    assert keys(vgg, unfreeze_blocks=2, batch_norm="trained") == {"freeze.batch_norm"}
    assert keys(vgg, unfreeze_blocks=0, batch_norm="trained") == set()  # no network needed


def test_it_is_noticed_before_the_first_trial() -> None:
    small = ("backbone=efficientnet_b0", "backbone.weights=null", "image_size=32")

    def noticed(*overrides: str) -> list[str]:
        found = prepare([recipe(*small, *overrides)]).noticed
        return [text for text in found if "changes nothing" in text]

    two = "freeze.unfreeze_blocks=2"
    (found,) = noticed(two, "drop_connect_rate=0.3")
    assert found.startswith("warning: drop_connect_rate changes nothing with freeze.unfreeze_b")
    assert noticed(two) == []
    assert noticed("freeze.unfreeze_blocks=3", "drop_connect_rate=0.3") == []


@pytest.mark.parametrize("blocks", [1, 3])
def test_nothing_is_noticed_of_networks_without_stochastic_depth(blocks: int) -> None:
    network = build_backbone(backbone_config("MobileNetV2"), 32, None)
    assert keys(network, unfreeze_blocks=blocks) == set()
