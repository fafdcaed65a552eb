"""The images of a view as frozen layers are given them: augmented, batch by batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.augment.augmentation import Augmentation
from sweeper.data.augment.image_draws import image_draws
from sweeper.data.examples import Hashes
from sweeper.data.stratified import Indices
from sweeper.train.frozen.views import Images

Change = Callable[..., Any]
"""From images, and what decides how they change, to changed ones."""


@dataclass(frozen=True)
class Missing:
    """What of a view is to be computed.

    Attributes:
        rows: ascending; all, where images are mixed.
        hashes: ``Images.hashes()``, where who asks has them.
        reused_seconds: what frozen layers would have taken for the other rows.
    """

    rows: Indices
    hashes: Hashes | None = None
    reused_seconds: float = 0.0

    @classmethod
    def all_of(cls, images: Images) -> "Missing":
        """Nothing is known yet."""
        return cls(np.arange(len(images)))


class ViewImages:
    """Images of views; each augmentation becomes one graph, traced once for all views."""

    def __init__(self) -> None:
        self._changes: dict[Augmentation, Change] = {}

    def inputs(
        self, images: Images, missing: Missing
    ) -> Iterator[tuple[Indices, tf.Tensor, tf.Tensor]]:
        """Rows ``[b]``, and for them images ``[b, s, s, 3]`` and targets ``[b, units]``.

        Raises:
            tf.errors.OpError: an image cannot be read or decoded.
        """
        source, done = images.batches_of(missing.rows), 0
        change = self._change(images, missing, source.steps)
        for step, batch in enumerate(source.epochs(images.view, images.view + 1)):
            here = slice(done, done + len(batch[0]))
            yield missing.rows[here], *change(*batch, step, here)
            done = here.stop

    def _change(self, images: Images, missing: Missing, steps: int) -> Change:
        """From images, targets, the number of a batch and its place among the missing rows."""
        augment = images.augment
        if augment is None:
            return lambda pixels, targets, _step, _here: (pixels, targets)
        if images.mixed:
            mix, first = self._mix(images, augment), images.view * steps
            return lambda pixels, targets, step, _here: mix(
                pixels, targets, tf.constant(first + step, tf.int64)
            )
        by_image, draws = self._by_image(images, augment), _draws(images, augment, missing)
        return lambda pixels, targets, _step, here: (by_image(pixels, draws[here]), targets)

    def _mix(self, images: Images, augment: Augmentation) -> Change:
        side, units = images.image_size, images.plain.units
        batch = [
            tf.TensorSpec([None, side, side, 3], tf.float32),
            tf.TensorSpec([None, units], tf.float32),
            tf.TensorSpec([], tf.int64),
        ]
        return self._traced(augment, augment, batch)

    def _by_image(self, images: Images, augment: Augmentation) -> Change:
        side = images.image_size
        batch = [
            tf.TensorSpec([None, side, side, 3], tf.float32),
            tf.TensorSpec([None, augment.draws], tf.float32),
        ]
        return self._traced(augment, augment.by_image, batch)

    def _traced(self, augment: Augmentation, change: Change, batch: list[tf.TensorSpec]) -> Change:
        if augment not in self._changes:
            self._changes[augment] = tf.function(change, input_signature=batch, autograph=False)
        return self._changes[augment]


def _draws(images: Images, augment: Augmentation, missing: Missing) -> NDArray[np.float32]:
    hashes = images.hashes() if missing.hashes is None else missing.hashes
    return image_draws(hashes[missing.rows], augment.seed, images.view, augment.draws)
