"""What a network consists of, and what of it trains: rows for a person to read."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

from sweeper import config
from sweeper.models.build import Classifier

HEAD = "head"
"""Name of the last part: what the recipe puts on the backbone."""


@dataclass(frozen=True)
class Part:
    """A layer, or a block of layers.

    Attributes:
        block: its block, ``head`` for the head; or its own name.
        name: of a layer; empty for a block.
        kind: class of a layer; of a block the number of its layers.
        shape: of what it gives for one image, ``96x96x32``.
        weights: numbers that it has.
        frozen: those of them that train in the frozen phase.
        unfrozen: those that train in the unfrozen phase.
    """

    block: str
    name: str
    kind: str
    shape: str
    weights: int
    frozen: int
    unfrozen: int


@dataclass(frozen=True)
class Total:
    """Of a whole network in one phase: trainable weights, and the variables that hold them."""

    weights: int
    variables: int


def layers_of(classifier: Classifier, freeze: config.Freeze) -> list[Part]:
    """Every layer of the network, from the input up; sets trainable flags as ``SplitModel.thaw``.

    Raises:
        ConfigError: the backbone has not what ``freeze`` names.
    """
    blocks = {name: block.name for block in classifier.blocks for name in block.layers}
    every = [
        *((layer, blocks.get(layer.name, "")) for layer in classifier.backbone.layers),
        *((layer, HEAD) for layer in classifier.head.layers[1:]),  # the first is its input
    ]
    classifier.split_model(None).thaw()
    frozen = [_count(layer.trainable_weights) for layer, _ in every]
    classifier.split_model(freeze).thaw()
    return [
        Part(
            block,
            layer.name,
            type(layer).__name__,
            _shape(layer),
            _count(layer.weights),
            in_frozen,
            _count(layer.trainable_weights),
        )
        for (layer, block), in_frozen in zip(every, frozen, strict=True)
    ]


def blocks_of(layers: Sequence[Part]) -> Iterator[Part]:
    """The blocks that ``layers`` make up, the head last."""
    for name in dict.fromkeys(part.block for part in layers if part.block):
        inside = [part for part in layers if part.block == name]
        yield Part(
            name,
            "",
            str(len(inside)),
            inside[-1].shape,
            sum(part.weights for part in inside),
            sum(part.frozen for part in inside),
            sum(part.unfrozen for part in inside),
        )


def total(classifier: Classifier, freeze: config.Freeze | None) -> Total:
    """What trains with ``freeze``, None for the frozen phase."""
    weights = classifier.split_model(freeze).thaw().trainable_weights
    return Total(_count(weights), len(weights))


def _count(weights: Sequence[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _shape(layer: keras.Layer) -> str:
    outputs = keras.tree.flatten(layer.output)
    return ", ".join("x".join(str(side) for side in one.shape[1:]) for one in outputs)
