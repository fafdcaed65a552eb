"""Images as frozen layers are given them, and one view of them as these layers see it.

Images that are augmented are kept in several fixed views: each is what one epoch that augments anew
would see.
"""

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import JsonValue

from sweeper.cache.shared_cache import Entry
from sweeper.data.augment import augmentation
from sweeper.data.augment.augmentation import Augmentation
from sweeper.data.batches import NUMBERS, Batches, as_written, batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.memory_map import mapped
from sweeper.data.targets import Targets

VALUES, ORDER, TARGETS = "values.float16", "order.int64", "targets.float32"
PASS = "pass.json"
_PASS_BYTES = 128
BATCH = 64
"""Images that go through frozen layers together; not the recipe's, so that all share them."""


@dataclass(frozen=True)
class Images:
    """What goes into frozen layers: examples, resized, and augmented unless ``augment`` is None.

    Attributes:
        data: what ``examples.fingerprint`` says of them.
        plain: makes targets of labels, without smoothing.
        view: number of the view, from 0: what the epoch of this number would see.
    """

    examples: Examples
    data: str
    image_size: int
    augment: Augmentation | None
    plain: Targets
    view: int = 0

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def mixed(self) -> bool:
        """Whether targets depend on the view too."""
        return self.augment is not None and self.augment.mixes

    @property
    def parts(self) -> dict[str, JsonValue]:
        """All that the images, and targets where they are mixed, depend on."""
        found: dict[str, JsonValue] = {
            "data": self.data,
            "image_size": self.image_size,
            "resized": NUMBERS,
        }
        if self.augment is not None:
            found["augment"] = self.augment.settings.model_dump(mode="json")
            found["numbers of augmentation"] = f"{augmentation.NUMBERS}, batches of {BATCH}"
            found["seed"] = self.augment.seed
            found["view"] = self.view
        if self.mixed:
            labels = hashlib.blake2b(self.examples.labels.tobytes(), digest_size=8).hexdigest()
            found["targets"] = f"{self.plain.n_classes} {self.plain.one_logit} {labels}"
        return found

    def bytes_of(self, shape: tuple[int, ...]) -> int:
        """What is kept of all images where each becomes ``shape`` float16."""
        each = 2 * math.prod(shape) + 8 + (4 * self.plain.units if self.mixed else 0)
        return each * len(self) + _PASS_BYTES

    @property
    def order(self) -> NDArray[np.int64]:
        """``[n]``: the example in each row. What is mixed are neighbours: not of one class."""
        count, seed = len(self), self._shuffle_seed

        def placed(number: tf.Tensor) -> tf.data.Dataset:
            return shuffled(tf.data.Dataset.range(count), count, seed, number).batch(count)

        places = tf.data.Dataset.range(self.view, self.view + 1).flat_map(as_written(placed))
        found: NDArray[np.int64] = next(places.as_numpy_iterator())
        return found

    @property
    def batches(self) -> Batches:
        """Images and targets in the order of the rows, not augmented yet."""
        return batches(
            self.examples,
            self.image_size,
            BATCH,
            target=self.plain,
            shuffle_seed=self._shuffle_seed,
        )

    @property
    def _shuffle_seed(self) -> int | None:
        return None if self.augment is None else self.augment.seed


@dataclass(frozen=True)
class View:
    """One view of ``images`` as frozen layers see it; what is large are the entry's files, mapped.

    Attributes:
        values: ``[n, ...]`` float16.
        targets: ``[n, units]`` float32, not smoothed, where the view mixes images.
        rows: ``[n]`` int64, the row of each example in both.
        seconds: what it took to compute the values, by their share in the operations of the pass.
    """

    images: Images
    values: tf.Tensor
    targets: tf.Tensor | None
    rows: tf.Tensor
    seconds: float

    def rows_of(self, examples: Examples) -> tf.Tensor:
        """``[m]`` int64, the row of each of ``examples``, which are some of its own, or all."""
        own = self.images.examples.indices
        assert np.isin(examples.indices, own).all(), "another's row would be taken"
        places = np.searchsorted(own, examples.indices)
        with tf.device("CPU"):
            return tf.gather(self.rows, places)

    def seconds_of(self, examples: Examples) -> float:
        """Their share in ``seconds``."""
        return self.seconds * len(examples) / len(self.images)


def read(images: Images, entry: Entry, shape: tuple[int, ...], flops: int) -> View | None:
    """The view that ``entry`` keeps; None where values are beyond half precision.

    Args:
        images: what the entry is of.
        entry: in use as long as the view is.
        shape: of the values of one image.
        flops: operations of the layers that gave the values, for one image.

    Raises:
        OSError: the disk cannot be mapped.
    """
    folder = entry.folder
    if not (folder / VALUES).stat().st_size:
        return None
    made = json.loads((folder / PASS).read_text(encoding="ascii"))
    of_targets = (len(images), images.plain.units)
    with tf.device("CPU"):  # what feeds a training runs there, whatever trains
        return View(
            images,
            mapped(folder / VALUES, np.float16, (len(images), *shape)),
            mapped(folder / TARGETS, np.float32, of_targets) if images.mixed else None,
            tf.constant(np.argsort(np.fromfile(folder / ORDER, np.int64))),
            made["seconds"] * (flops / made["flops"] if made["flops"] else 1.0),
        )
