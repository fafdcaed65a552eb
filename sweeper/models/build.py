"""Classifiers: a backbone cut into blocks, and a head; what a trial trains and keeps."""

from dataclasses import dataclass
from typing import Any, Literal

import keras

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.backbones import build_backbone
from sweeper.models.blocks import Block, cut_tensor, find_blocks

_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}
_MOMENTUM = 0.9
"""Of the head's BatchNorm: its statistics settle in some 40 steps. Keras' 0.99 takes 400, more than
many a fine-tune has, and until then validation sees another network than training does (measured:
drawn dogs, 120 classes, 48 steps: validation accuracy 0.24 with 0.99, 0.30 with 0.9)."""


class Trainer(keras.Model):
    """A classifier to be trained: frozen part, unfrozen part, head; from images to logits.

    Calls ``frozen`` in inference mode whatever the caller's mode is: BatchNormalization and
    stochastic depth in it are deterministic, so that its output may be stored and shared.
    ``frozen`` or ``unfrozen`` is None where no block is.
    """

    def __init__(
        self, frozen: keras.Model | None, unfrozen: keras.Model | None, head: keras.Model
    ) -> None:
        super().__init__(name="trainer")
        self.frozen = frozen
        self.unfrozen = unfrozen
        self.head = head

    def call(self, images: Any, training: bool | None = None) -> Any:
        """``[batch, size, size, 3]`` in [0, 255] to logits ``[batch, units]`` float32."""
        x = images
        if self.frozen is not None:
            x = self.frozen(x, training=False)
        if self.unfrozen is not None:
            x = self.unfrozen(x, training=training)
        return self.head(x, training=training)


@dataclass(frozen=True)
class Classifier:
    """A backbone, its blocks from the input to the top, and a head that gives logits.

    All models made from it share its layers, hence its weights and its trainable flags.
    """

    backbone: keras.Model
    blocks: tuple[Block, ...]
    head: keras.Model
    one_logit: bool

    def trainer(self, unfreeze_blocks: int | Literal["all"]) -> Trainer:
        """A fresh, uncompiled model in which the head and the top ``unfreeze_blocks`` blocks train.

        BatchNormalization layers of the backbone stay frozen in every block: their statistics
        would be lost on small batches (Keras' transfer-learning guide). Sets the trainable flag
        of every layer; Keras reads the flags at compile, so compile after this call, and do not
        go on training a model made by an earlier one.

        Raises:
            ConfigError: there are fewer blocks.
        """
        total = len(self.blocks)
        count = total if unfreeze_blocks == "all" else unfreeze_blocks
        if not 0 <= count <= total:
            raise ConfigError(
                [
                    f"freeze.unfreeze_blocks must be <= {total}, the number of blocks of "
                    f"{self.backbone.name}, got {count}"
                ]
            )
        thawed = {name for block in self.blocks[total - count :] for name in block.layers}
        for layer in self.backbone.layers:
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = layer.name in thawed and not norm
        self.head.trainable = True
        if count == 0:
            return Trainer(self.backbone, None, self.head)
        if count == total:
            return Trainer(None, self.backbone, self.head)
        cut = cut_tensor(self.backbone, self.blocks[total - count - 1].output)
        frozen = keras.Model(self.backbone.input, cut, name="frozen")
        unfrozen = keras.Model(cut, self.backbone.output, name="unfrozen")
        return Trainer(frozen, unfrozen, self.head)

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


def build_classifier(
    backbone: config.Backbone,
    head: config.Head,
    n_classes: int,
    image_size: int,
    drop_connect_rate: float | None,
) -> Classifier:
    """The classifier of a recipe; see :func:`~sweeper.models.backbones.build_backbone`.

    Raises:
        MissingInput: the backbone's weights are not there.
        ConfigError: the weights, the image size or the head do not fit.
    """
    return attach_head(build_backbone(backbone, image_size, drop_connect_rate), head, n_classes)


def attach_head(backbone: keras.Model, head: config.Head, n_classes: int) -> Classifier:
    """Put a fresh head on a flat functional ``backbone``.

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
    features = backbone.output
    source = keras.Input(features.shape[1:], dtype=features.dtype, name="features")
    x = _POOLING[head.pooling](name="pool")(source)
    if head.batch_norm:
        x = keras.layers.BatchNormalization(momentum=_MOMENTUM, name="head_bn")(x)
    x = keras.layers.Dropout(head.dropout, name="head_dropout")(x)
    units = 1 if head.one_logit else n_classes
    # float32 whatever the policy: a softmax cross-entropy in half precision overflows
    logits = keras.layers.Dense(units, dtype="float32", name="logits")(x)
    model = keras.Model(source, logits, name="head")
    return Classifier(backbone, find_blocks(backbone), model, head.one_logit)
