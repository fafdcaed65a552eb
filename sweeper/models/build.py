"""Classifiers: a backbone cut into blocks, and a head; what a trial trains and keeps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.blocks import Block, divide, find_blocks
from sweeper.models.freezing import BATCH_NORM_MOMENTUM, thaw
from sweeper.models.prefix import Prefix, PrefixSummary
from sweeper.models.size import Size, size_of
from sweeper.models.split_model import SplitModel, on_pooled

_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


@dataclass(frozen=True)
class Classifier:
    """A backbone, its blocks from the input to the top, and a head that gives logits.

    All models made from it share its layers, hence its weights and its trainable flags.

    Attributes:
        head: from what the backbone gives to logits.
        one_logit: whether one logit stands for two classes.
        build: gives the backbone; called once, when it is first needed.
        pooled: summary of the backbone with the head's pooling, where they are known. With them the
            backbone is needed only where something in it trains, or somebody runs it.
    """

    head: keras.Model
    one_logit: bool
    build: Callable[[], keras.Model]
    pooled: PrefixSummary | None = None

    @cached_property
    def backbone(self) -> keras.Model:
        """From images to the last spatial activation."""
        return self.build()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Those of the backbone, from the input to the top."""
        return find_blocks(self.backbone)

    def split_model(self, freeze: config.Freeze | None) -> SplitModel:
        """A fresh, uncompiled model in which the head is to train, and what ``freeze`` thaws.

        With None the head alone trains, as in the frozen phase.
        BatchNormalization layers of the backbone stay frozen in unfrozen blocks too, or learn their
        scale and offset only, unless ``freeze.batch_norm`` is ``trained``: their statistics would
        be lost on small batches (Keras' transfer-learning guide). Blocks below the lowest in which
        something trains run in inference mode; with ``freeze.unfreeze_layers`` the frozen part of a
        split block does not.

        :meth:`SplitModel.thaw` sets the trainable flags.

        Raises:
            ConfigError: the backbone has fewer blocks or layers, or none of that name.
        """
        thawed = thaw(self.backbone, self.blocks, freeze)
        if thawed.below == len(self.blocks):
            parts = (self.backbone, None)
        elif thawed.below == 0:
            parts = (None, self.backbone)
        else:
            parts = divide(self.backbone, self.blocks[: thawed.below])
        return SplitModel(
            *parts, self.head, thawed.fixed_statistics, partial(thawed.apply, self.backbone)
        )

    def split(self, freeze: config.Freeze | None) -> tuple[Prefix, SplitModel] | None:
        """:meth:`split_model` split, without a backbone where what is known of it is enough."""
        if (known := self._known(freeze)) is not None:
            return Prefix(self._frozen_with_pooling, known), on_pooled(self.head)
        parts = self.split_model(freeze).split()
        if parts is None:
            return None
        network, rest = parts
        return Prefix(lambda: network), rest

    def size(self, freeze: config.Freeze | None) -> Size:
        """Of the whole network, its trainable flags as they are set now."""
        known = self._known(freeze)
        below = size_of(self.backbone) if known is None else known.size
        return below + size_of(self.head)

    def _known(self, freeze: config.Freeze | None) -> PrefixSummary | None:
        """Of what is frozen: the head's pooling ends it where the head alone trains."""
        return self.pooled if freeze is None or freeze.unfreeze_blocks == 0 else None

    def _frozen_with_pooling(self) -> keras.Model:
        parts = self.split_model(None).split()
        assert parts is not None  # a summary is of one tensor
        return parts[0]

    def depths(self, variables: Sequence[keras.Variable]) -> list[int]:
        """How far below the logits each variable is: 0 in the head, 1 in the top block, and so on.

        Raises:
            ValueError: a variable is of another network.
        """
        layers = {layer.name: layer for layer in self.backbone.layers}
        depth_of = {id(variable): 0 for variable in self.head.variables}
        for depth, block in enumerate(reversed(self.blocks), 1):
            for name in layers.keys() & set(block.layers):
                depth_of |= {id(variable): depth for variable in layers[name].variables}
        unknown = [variable.path for variable in variables if id(variable) not in depth_of]
        if unknown:
            raise ValueError(f"variables that are not of {self.backbone.name}: {unknown}")
        return [depth_of[id(variable)] for variable in variables]

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """``[n, units]`` logits to ``[n, n_classes]`` probabilities, as :meth:`inference_model`."""
        if not self.one_logit:
            return np.asarray(softmax(logits, axis=1))
        second = expit(logits)
        return np.concatenate([1 - second, second], axis=1)

    def class_logits(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """``[n, units]`` logits as ``[n, n_classes]`` whose softmax is :meth:`probabilities`."""
        return np.concatenate([np.zeros_like(logits), logits], axis=1) if self.one_logit else logits

    def inference_model(self) -> keras.Model:
        """A functional model of Keras' own layers only, from images to probabilities.

        Returns:
            Model from ``[batch, size, size, 3]`` in [0, 255] to ``[batch, n_classes]`` float32;
            it shares the weights, and loads from a ``.keras`` file without custom objects.
        """
        images = keras.Input(self.backbone.input.shape[1:], dtype="float32", name="image")
        logits = self.head(self.backbone(images))
        if self.one_logit:
            second = keras.layers.Activation("sigmoid", dtype="float32", name="second")(logits)
            first = keras.layers.Rescaling(-1.0, offset=1.0, dtype="float32", name="first")(second)
            outputs = keras.layers.Concatenate(dtype="float32", name="probabilities")(
                [first, second]
            )
        else:
            outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
        return keras.Model(images, outputs, name="classifier")


def attach_head(backbone: keras.Model, head: config.Head, n_classes: int) -> Classifier:
    """Put a fresh head on a functional ``backbone``; see :func:`build_head`."""
    features = backbone.output
    built = build_head(head, n_classes, features.shape[1:], features.dtype)
    return Classifier(built, head.one_logit, lambda: backbone)


def build_head(head: config.Head, n_classes: int, shape: Sequence[int], dtype: str) -> keras.Model:
    """A fresh head for a backbone that gives ``shape`` of ``dtype`` for each image.

    In this order, each where ``head`` asks for it: pooling (or Flatten, which ties the head to the
    image size), BatchNormalization, a hidden Dense layer with ReLU, Dropout, Dense to the logits.
    ``head.l2`` of the Dense layers' squared weights is among the model's ``losses``.

    Raises:
        ConfigError: one logit is asked for with other than two classes.
    """
    if head.one_logit and n_classes != 2:
        raise ConfigError(
            [
                f"head.one_logit needs 2 classes, the data set has {n_classes}; "
                "set head.one_logit=false"
            ]
        )
    source = keras.Input(shape, dtype=dtype, name="features")
    x = _POOLING[head.pooling](name="pool")(source)
    if head.batch_norm:
        x = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name="head_bn")(x)
    if head.hidden:
        x = keras.layers.Dense(
            head.hidden, activation="relu", kernel_regularizer=_penalty(head), name="hidden"
        )(x)
    x = keras.layers.Dropout(head.dropout, name="head_dropout")(x)
    units = 1 if head.one_logit else n_classes
    # float32 whatever the policy: a softmax cross-entropy in half precision overflows
    logits = keras.layers.Dense(
        units, kernel_regularizer=_penalty(head), dtype="float32", name="logits"
    )(x)
    return keras.Model(source, logits, name="head")


def _penalty(head: config.Head) -> keras.Regularizer | None:
    return keras.regularizers.L2(head.l2) if head.l2 else None
