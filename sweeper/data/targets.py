"""What the network is to answer: labels to target distributions, and how much each image counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper import config
from sweeper.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Targets:
    """Labels to targets, and targets to weights of the loss.

    A weight follows from the targets that an image is trained with, so where MixUp or CutMix
    changes these, take :meth:`weights` of the changed ones: an image that is 70 % cat counts 70 %
    of what a cat counts. Label smoothing does not change weights.

    Attributes:
        n_classes: 2 or more.
        one_logit: targets are ``[batch, 1]``, the chance of the second of two classes.
        label_smoothing: the share of a label that is spread over all classes (Szegedy et al. 2016),
            below 1; half of it goes to each class where there is one logit.
        class_weight: ``[n_classes]`` float32, or None where all count 1.

    Raises:
        ValueError: when there is one logit but not two classes, or not one weight a class.
    """

    n_classes: int
    one_logit: bool
    label_smoothing: float = 0.0
    class_weight: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.one_logit and self.n_classes != 2:
            raise ValueError(f"one logit tells 2 classes apart, got {self.n_classes}")
        if self.class_weight is not None and self.class_weight.shape != (self.n_classes,):
            shape = list(self.class_weight.shape)
            raise ValueError(f"class_weight must be [{self.n_classes}], got shape {shape}")

    @classmethod
    def to_train(
        cls,
        head: config.Head,
        loss: config.Loss,
        class_names: Sequence[str],
        labels: NDArray[np.int64],
    ) -> "Targets":
        """Those that training has, of a recipe's ``head`` and ``loss``; see :func:`class_weights`.

        Raises:
            ConfigError: the weights do not fit the classes.
        """
        weights = class_weights(loss, class_names, labels)
        return cls(len(class_names), head.one_logit, loss.label_smoothing, weights)

    @property
    def weigh(self) -> "Callable[[tf.Tensor], tf.Tensor] | None":
        """:meth:`weights`, or None where all images count the same."""
        return None if self.class_weight is None else self.weights

    @property
    def plain(self) -> "Targets":
        """Those that validation has: neither smoothed nor weighted."""
        return Targets(self.n_classes, self.one_logit)

    @property
    def units(self) -> int:
        """Logits that the network has."""
        return 1 if self.one_logit else self.n_classes

    def __call__(self, labels: tf.Tensor) -> tf.Tensor:
        """``[batch]`` integers below ``n_classes`` to ``[batch, units]`` float32 in [0, 1]."""
        if self.one_logit:
            whole = tf.cast(labels, tf.float32)[:, tf.newaxis]
        else:
            whole = tf.one_hot(labels, self.n_classes)
        return self.smoothed(whole)

    def smoothed(self, whole: tf.Tensor) -> tf.Tensor:
        """``[batch, units]`` targets that are not smoothed yet, mixed or not, to such as are."""
        return whole * (1 - self.label_smoothing) + self._spread

    def weights(self, targets: tf.Tensor) -> tf.Tensor:
        """``[batch, units]`` targets, mixed or not, to ``[batch]`` float32 weights of the loss."""
        if self.class_weight is None:
            return tf.ones(tf.shape(targets)[:1])
        whole = (targets - self._spread) / (1 - self.label_smoothing)
        if self.one_logit:
            whole = tf.concat([1 - whole, whole], axis=1)
        return tf.reduce_sum(whole * tf.constant(self.class_weight, tf.float32), axis=1)

    @property
    def _spread(self) -> float:
        return self.label_smoothing / self.n_classes


def class_weights(
    loss: config.Loss, class_names: Sequence[str], labels: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """How much an image of each class counts in the training loss.

    Args:
        loss: the recipe's; ``balanced`` gives n / (classes * n of the class), as scikit-learn's
            ``compute_class_weight`` does, so that the mean weight of the images is 1.
        class_names: in the order of the labels.
        labels: ``[n]`` of the training images, indices into ``class_names``.

    Returns:
        ``[classes]``, or None where all count the same.

    Raises:
        ConfigError: for each name that is no class, and each class that has no image to balance.
    """
    if loss.class_weight is None:
        return None
    if loss.class_weight == "balanced":
        return _balanced(class_names, labels)
    return _named(loss.class_weight, class_names)


def _balanced(class_names: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    counts = np.bincount(labels, minlength=len(class_names))
    faults = [
        f"loss.class_weight=balanced needs training images of every class, got none of "
        f"{name!r}; add some, or set loss.class_weight=null"
        for name, count in zip(class_names, counts, strict=True)
        if not count
    ]
    if faults:
        raise ConfigError(faults)
    return (len(labels) / (len(class_names) * counts)).astype(np.float32)


def _named(given: Mapping[str, float], class_names: Sequence[str]) -> NDArray[np.float32]:
    weights = np.ones(len(class_names), np.float32)
    faults = []
    for name, weight in given.items():
        meant = _meant(name, class_names)
        if len(meant) == 1:
            weights[class_names.index(meant[0])] = weight
        else:
            faults.append(_unclear(name, meant, class_names))
    if faults:
        raise ConfigError(faults)
    return weights


def _unclear(name: str, meant: Sequence[str], class_names: Sequence[str]) -> str:
    """A fault of a name that stands for no class, or for several."""
    if not meant:
        return (
            f"loss.class_weight names {str(name)!r}, which is no class of the data set"
            f"{config.nearest(name, class_names)}"
        )
    alike = " and ".join(f"'{one}'" for one in meant)
    return (
        f"loss.class_weight names {name}, which YAML makes of {alike}; put the name that "
        f"you mean in quotes"
    )


def _meant(name: str, class_names: Sequence[str]) -> list[str]:
    """The classes that ``name`` may stand for: several where YAML made a number of it."""
    if isinstance(name, config.Unquoted):
        return [one for one in class_names if _as_yaml(one) == float(name)]
    return [one for one in class_names if one == name]


def _as_yaml(name: str) -> float | None:
    """The number that YAML makes of ``name`` without quotes, if it does."""
    import yaml

    if name[:1] not in {*"+-.0123456789"}:
        return None
    try:
        return float(yaml.safe_load(name))
    except (yaml.YAMLError, ValueError, TypeError):
        return None
