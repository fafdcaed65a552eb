"""Images as frozen layers are given them, and one view of them as these layers see it.

Images that are augmented are kept in several fixed views: each is what one epoch that augments anew
could see. How an image is changed follows from the seed, the number of the view and what it shows,
so that it looks alike in the same view of another data set; but for MixUp and CutMix, which take
its neighbour too.
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
from sweeper.data.augment import augmentation, image_draws
from sweeper.data.augment.augmentation import Augmentation
from sweeper.data.batches import NUMBERS, Batches, as_written, batches, shuffled
from sweeper.data.examples import Examples, Hashes
from sweeper.data.memory_map import mapped
from sweeper.data.row_reuse import HASH_BYTES
from sweeper.data.stratified import Indices
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
    def indexed(self) -> bool:
        """Whether each row depends on the content of one image alone, and that is known."""
        return self.examples.hashes is not None and not self.mixed

    def hashes(self) -> Hashes:
        """``[n]``, what decides how an image is changed: its content, or else its place.

        Raises:
            tf.errors.OpError: an image cannot be read.
        """
        if self.examples.hashes is not None:
            return self.examples.hashes(self.examples.indices)
        places = [b"%0*d" % (HASH_BYTES, place) for place in range(len(self))]
        return np.array(places, f"S{HASH_BYTES}")

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
            drawn = f"batches of {BATCH}"  # what is mixed
            if not self.mixed:
                by = "content" if self.indexed else "place"
                drawn = f"drawn by {by} {image_draws.NUMBERS}"
            found["numbers of augmentation"] = f"{augmentation.NUMBERS}, {drawn}"
            found["seed"] = self.augment.seed
            found["view"] = self.view
        if self.mixed:
            labels = hashlib.blake2b(self.examples.labels.tobytes(), digest_size=8).hexdigest()
            found["targets"] = f"{self.plain.n_classes} {self.plain.one_logit} {labels}"
        return found

    def bytes_of(self, shape: tuple[int, ...]) -> int:
        """What is kept of all images where each becomes ``shape`` float16."""
        each = 2 * math.prod(shape) + 8 + (4 * self.plain.units if self.mixed else 0)
        each += HASH_BYTES if self.indexed else 0
        return each * len(self) + _PASS_BYTES

    @property
    def order(self) -> NDArray[np.int64]:
        """``[n]``: the example in each row. What is mixed are neighbours: not of one class.

        Other rows stand in the order of the examples.
        """
        count, seed = len(self), self._shuffle_seed
        if seed is None:
            return np.arange(count)

        def placed(number: tf.Tensor) -> tf.data.Dataset:
            return shuffled(tf.data.Dataset.range(count), count, seed, number).batch(count)

        places = tf.data.Dataset.range(self.view, self.view + 1).flat_map(as_written(placed))
        found: NDArray[np.int64] = next(places.as_numpy_iterator())
        return found

    @property
    def batches(self) -> Batches:
        """Images and targets in the order of the rows, not augmented yet."""
        return self._batches(self.examples)

    def batches_of(self, rows: Indices) -> Batches:
        """Those in these ascending rows; all rows, where a batch is mixed."""
        if self.mixed:
            assert len(rows) == len(self), "a batch of others would be mixed"
            return self.batches
        return self._batches(self.examples.select(rows))

    def _batches(self, examples: Examples) -> Batches:
        return batches(
            examples,
            self.image_size,
            BATCH,
            target=self.plain,
            shuffle_seed=self._shuffle_seed,
        )

    @property
    def _shuffle_seed(self) -> int | None:
        return self.augment.seed if self.augment is not None and self.mixed else None


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
