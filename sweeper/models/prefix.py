"""The frozen part of a network: what is asked of it, and the part itself when it must compute."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import keras

from sweeper.models.network_hash import fingerprint
from sweeper.models.size import Size, count_parameters, flops


@dataclass(frozen=True)
class PrefixSummary:
    """What is asked of a frozen part where all that it gives is kept.

    Attributes:
        hash: its :func:`~sweeper.models.network_hash.fingerprint`.
        shape: of what it gives for one image.
        operations: how many it is made of; of two parts of a network the higher one has more.
        size: how large it is; nothing in it trains.
    """

    hash: str
    shape: tuple[int, ...]
    operations: int
    size: Size

    @classmethod
    def of(cls, network: keras.Model) -> "PrefixSummary":
        """The summary of ``network``, which has one output."""
        size = Size(count_parameters(network), 0, flops(network))
        shape = tuple(network.output.shape[1:])
        return cls(fingerprint(network), shape, len(network.operations), size)


@dataclass(frozen=True)
class Prefix:
    """A frozen part that is built when it is needed, by ``build``; ``known`` is its summary."""

    build: Callable[[], keras.Model]
    known: PrefixSummary | None = None

    @cached_property
    def network(self) -> keras.Model:
        """From images to one tensor, in inference mode."""
        return self.build()

    @cached_property
    def summary(self) -> PrefixSummary:
        """What is known, or else what the network says."""
        return self.known or PrefixSummary.of(self.network)
