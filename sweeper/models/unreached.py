"""Keys of a recipe that change nothing in a network, as its graph shows."""

from collections.abc import Iterator, Sequence

import keras

from sweeper import config
from sweeper.models.blocks import Block
from sweeper.models.freezing import thaw
from sweeper.models.pretrained.networks import stochastic_depth


def unused_in_network(
    network: keras.Model, blocks: Sequence[Block], freeze: config.Freeze
) -> Iterator[config.Unused]:
    """``drop_connect_rate`` or ``freeze.batch_norm`` where they reach no layer that trains.

    Args:
        network: a backbone.
        blocks: its blocks, from the input to the top.
        freeze: what of it trains.

    Raises:
        ConfigError: the backbone has fewer blocks or layers, or none of that name.
    """
    thawed = thaw(network, blocks, freeze)
    ways = ("unfreeze_blocks", "unfreeze_from", "unfreeze_layers")
    (way,) = (
        f"freeze.{key}={value}" for key in ways if (value := getattr(freeze, key)) is not None
    )
    drops = set(stochastic_depth(network))
    reached = [index for index, block in enumerate(blocks) if drops.intersection(block.layers)]
    if reached and reached[-1] < thawed.below:
        yield config.Unused(
            "drop_connect_rate",
            f"with {way}: no layer of stochastic depth of {network.name} is in what trains, "
            f"{len(blocks) - reached[-1]} is the least freeze.unfreeze_blocks for one",
        )
    norms = {
        layer.name for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    if thawed.layers and not norms & thawed.layers:
        yield config.Unused(
            "freeze.batch_norm",
            f"with {way}: {network.name} has no BatchNormalization in what trains",
        )
