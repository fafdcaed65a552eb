"""What a trial trains: a frozen part, an unfrozen part and a head, as one Keras model."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from sweeper.models.folding import Folded

Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""From images, targets and the int64 number of the draw to changed images and targets."""

Weigh = Callable[[tf.Tensor], tf.Tensor]
"""From targets ``[batch, units]`` to how much each image counts in the loss, ``[batch]``."""


class SplitModel(keras.Model):
    """A classifier to be trained: frozen part, unfrozen part, head; from images to logits.

    Calls ``frozen`` in inference mode whatever the caller's mode is: BatchNormalization and
    stochastic depth in it are deterministic, so that its output may be stored and shared.
    ``frozen`` or ``unfrozen`` is None where no block is. With ``fixed_statistics`` each
    BatchNormalization of ``unfrozen`` normalizes by its moving statistics, trainable or not.
    ``set_flags`` sets the trainable flags of the backbone that both parts share; see :meth:`thaw`.
    """

    def __init__(
        self,
        frozen: keras.Model | None,
        unfrozen: keras.Model | None,
        head: keras.Model,
        fixed_statistics: bool = False,
        set_flags: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="split_model")
        self.frozen = frozen
        self.unfrozen = unfrozen
        self.head = head
        self._below = Folded(frozen) if frozen is not None else None
        self._above = Folded(unfrozen, fixed_statistics) if unfrozen is not None else None
        self._fixed_statistics = fixed_statistics
        self._set_flags = set_flags
        self.draw = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="draw"
        )
        self._augment: Change | None = None
        self._weigh: Weigh | None = None
        self._learn: Callable[[Any], Mapping[str, Any]] = super().train_step
        self.built = True  # its parts are

    def call(self, images: Any, training: bool | None = None) -> Any:
        """``[batch, size, size, 3]`` in [0, 255] to logits ``[batch, units]`` float32.

        Without a frozen part, of what that part gives instead of images; see :meth:`split`.
        """
        x = images
        if self._below is not None:
            x = self._below(x, training=False)
        if self._above is not None:
            x = self._above(x, training=training)
        return self.head(x, training=training)

    def thaw(self) -> "SplitModel":
        """Set the trainable flag of every layer of the network; returns this model.

        Keras reads the flags at compile, so compile after this call, and do not continue to train
        another model of the same network.
        """
        self._set_flags()
        self.head.trainable = True
        return self

    def split(self) -> "tuple[keras.Model, SplitModel] | None":
        """The part that never changes, and a model of the rest, which takes what that one gives.

        The first ends with the head's pooling where no block is unfrozen: no more than the
        features, ``[batch, channels]``, are handed over. Both share all weights with this model.
        None where nothing is frozen, or where more than one tensor is handed over (NASNet).
        """
        if self.frozen is None or len(self.frozen.outputs) > 1:
            return None
        pool = self.head.layers[1]
        if self.unfrozen is not None or isinstance(pool, keras.layers.Flatten):
            rest = SplitModel(
                None, self.unfrozen, self.head, self._fixed_statistics, self._set_flags
            )
            return self.frozen, rest
        # of its own, since a layer that is called twice makes the head's graph ambiguous; by its
        # kind, so that one network may end in several
        own = {**pool.get_config(), "name": f"pool_{type(pool).__name__}"}
        pooled = type(pool).from_config(own)(self.frozen.output)
        return keras.Model(self.frozen.input, pooled, name="prefix"), on_pooled(
            self.head, self._set_flags
        )

    def prepare(self, augment: Change | None, weigh: Weigh | None, jit_compile: bool) -> None:
        """Say what each training step does: ``augment`` a batch, ``weigh`` it, learn from it.

        Compile with ``jit_compile=False``: here XLA compiles what learns and leaves out the
        augmentation, whose interpolation it does not know.
        """
        self._augment = augment
        self._weigh = weigh
        step = super().train_step
        self._learn = tf.function(step, jit_compile=True, autograph=False) if jit_compile else step

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """Learn from a batch of (images, targets); on the device, whole batches."""
        images, targets = data
        if self._augment is not None:
            images, targets = self._augment(images, targets, tf.identity(self.draw.value))
            self.draw.assign_add(1)
        if self._weigh is None:
            return self._learn((images, targets))
        return self._learn((images, targets, self._weigh(targets)))

    @property
    def changing(self) -> list[Any]:
        """All variables that training may change: weights, statistics and states of generators."""
        parts = [part for part in (self.unfrozen, self.head) if part is not None]
        return [*(variable for part in parts for variable in part.variables), self.draw]

    @property
    def learned(self) -> list[Any]:
        """Those of :attr:`changing` that make up the trained network."""
        parts = [part for part in (self.unfrozen, self.head) if part is not None]
        return [variable for part in parts for variable in part.weights]


def on_pooled(head: keras.Model, set_flags: Callable[[], None] = lambda: None) -> SplitModel:
    """A model of ``head`` alone, on what its pooling gives; it shares the weights."""
    pool = head.layers[1]
    alone = keras.Model(pool.output, head.output, name="head")
    return SplitModel(None, None, alone, set_flags=set_flags)
