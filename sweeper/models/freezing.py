"""Which layers of a backbone train: from ``freeze`` in a recipe to trainable flags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import keras

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.blocks import NOT_LEARNING, Block, find_blocks
from sweeper.models.pretrained import preprocessing

BATCH_NORM_MOMENTUM = 0.9
"""Of every BatchNorm that trains, PyTorch's default: its statistics settle in some 40 steps.

The 0.99 of keras.applications takes 400, and 700 where a fresh network's variances lie far below 1,
more than many a training has; until then validation sees another network than training does.
Measured: the head on drawn dogs, 48 steps, validation accuracy 0.24 with 0.99, 0.30 with 0.9;
digits from scratch, 400 steps, 0.10 with 0.99 at a training accuracy of 0.97, and 0.92 with 0.9
after 110 steps.
"""


@dataclass(frozen=True)
class Thawed:
    """What trains: names of ``layers``, none of them with weights in the lowest ``below`` blocks.

    ``batch_norm`` is what BatchNormalization among the layers does; :class:`config.Freeze`.
    """

    layers: frozenset[str]
    below: int
    batch_norm: Literal["frozen", "affine", "trained"]

    @property
    def fixed_statistics(self) -> bool:
        """Whether BatchNormalization normalizes by its moving statistics, in training too."""
        return self.batch_norm != "trained"

    def trains(self, layer: keras.Layer) -> bool:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        return layer.name in self.layers and (self.batch_norm != "frozen" or not norm)

    def can_learn(self, layer: keras.Layer) -> bool:
        """Whether ``layer`` has weights that would learn if it was among ``layers``."""
        fixed = NOT_LEARNING if self.batch_norm == "frozen" else keras.layers.Normalization
        return bool(layer.weights) and not isinstance(layer, fixed)

    def apply(self, backbone: keras.Model) -> None:
        """Set the trainable flag of every layer of ``backbone``, and the pace of statistics."""
        for layer in backbone.layers:
            layer.trainable = self.trains(layer)
            if layer.trainable and isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = BATCH_NORM_MOMENTUM


def thaw(backbone: keras.Model, blocks: Sequence[Block], freeze: config.Freeze | None) -> Thawed:
    """What ``freeze`` lets train; nothing where it is None.

    Raises:
        ConfigError: the backbone has fewer blocks or layers, or none of that name.
    """
    if freeze is None:
        return Thawed(frozenset(), len(blocks), "frozen")
    if freeze.unfreeze_layers is not None:
        layers = _top_layers(backbone, freeze.unfreeze_layers)
        thawed = Thawed(layers, len(blocks), freeze.batch_norm)
        learning = {layer.name for layer in backbone.layers if thawed.can_learn(layer)} & layers
        lowest = (i for i, block in enumerate(blocks) if learning.intersection(block.layers))
        return replace(thawed, below=next(lowest, len(blocks)))
    if freeze.unfreeze_from is not None:
        below = _place(backbone, blocks, freeze.unfreeze_from)
    else:
        below = len(blocks) - _count(backbone, blocks, freeze.unfreeze_blocks)
    names = frozenset(name for block in blocks[below:] for name in block.layers)
    return Thawed(names, below, freeze.batch_norm)


def _count(backbone: keras.Model, blocks: Sequence[Block], wanted: int | str | None) -> int:
    if not isinstance(wanted, int):  # all
        return len(blocks)
    if wanted > len(blocks):
        raise ConfigError(
            [
                f"freeze.unfreeze_blocks must be <= {len(blocks)}, the number of blocks of "
                f"{backbone.name}, got {wanted}"
            ]
        )
    return wanted


def _place(backbone: keras.Model, blocks: Sequence[Block], name: str) -> int:
    """Number of the block that is called ``name``, or holds the layer of that name."""
    names = [block.name for block in blocks]
    if name in names:
        return names.index(name)
    for index, block in enumerate(blocks):
        if name in block.layers:
            return index
    layers = [layer.name for layer in backbone.layers]
    hint = config.nearest(name, [*layers, *names])
    raise ConfigError(
        [
            f"freeze.unfreeze_from must name a block or a layer of {backbone.name}, got {name!r}"
            f"{hint}; its blocks: {', '.join(names)}"
        ]
    )


def _top_layers(backbone: keras.Model, count: int) -> frozenset[str]:
    """``model.layers[-count:]``, of the layers that keras.applications gives the network."""
    layers = [layer.name for layer in backbone.layers if layer.name != preprocessing.LAYER]
    if count > len(layers):
        raise ConfigError(
            [
                f"freeze.unfreeze_layers must be <= {len(layers)}, the number of layers of "
                f"{backbone.name}, got {count}; freeze=everything unfreezes all of them"
            ]
        )
    return frozenset(layers[-count:])


def check_freeze(backbone: keras.Model, freeze: config.Freeze) -> None:
    """See that ``backbone`` has what ``freeze`` names, before a head is made.

    Raises:
        ConfigError: it has fewer blocks or layers, or none of that name.
        ValueError: it cannot be cut into blocks.
    """
    thaw(backbone, find_blocks(backbone), freeze)


def split_block(
    backbone: keras.Model, blocks: Sequence[Block], freeze: config.Freeze
) -> str | None:
    """A warning when ``freeze.unfreeze_layers`` lets a part of a block train, else None.

    The frozen part of that block learns nothing, yet is computed anew in every epoch.
    """
    if freeze.unfreeze_layers is None:
        return None
    thawed = thaw(backbone, blocks, freeze)
    for index, block in enumerate(blocks[thawed.below :], thawed.below):
        inside = [layer for layer in backbone.layers if layer.name in block.layers]
        learners = [layer for layer in inside if thawed.can_learn(layer)]
        training = sum(map(thawed.trains, learners))
        if training < len(learners):
            clean = len(blocks) - index
            return (
                f"freeze.unfreeze_layers={freeze.unfreeze_layers} splits the block {block.name} of "
                f"{backbone.name}: {training} of its {len(learners)} layers with weights train; "
                f"freeze.unfreeze_blocks={clean} trains all of it, {clean - 1} none"
            )
    return None
