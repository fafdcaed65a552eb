"""What frozen layers make of images, computed once and kept for all trials of the machine.

Images that are augmented are kept in several fixed views: each is what one epoch that augments anew
would see.
"""

import contextlib
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import JsonValue

from sweeper.cache.key import Key
from sweeper.cache.store import Cache, Entry
from sweeper.data.augment import Augmentation
from sweeper.data.batches import batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.targets import Targets
from sweeper.models.fingerprint import fingerprint
from sweeper.train.cost import flops

log = logging.getLogger(__name__)

KIND = "features"
_VALUES, _ORDER, _TARGETS = "values.float16", "order.int64", "targets.float32"
_PASS = "pass.json"
_PASS_BYTES = 64
_BATCH = 64
"""Images that go through frozen layers together; not the recipe's, so that all share them."""


class Overflow(Exception):
    """A number is beyond what half precision holds."""


@dataclass(frozen=True)
class Images:
    """What goes into frozen layers: examples, resized, and augmented unless ``augment`` is None.

    ``plain`` makes targets of labels, without smoothing.
    """

    examples: Examples
    image_size: int
    augment: Augmentation | None
    plain: Targets

    @property
    def mixed(self) -> bool:
        return self.augment is not None and self.augment.mixes

    def parts(self, view: int) -> dict[str, JsonValue]:
        """All that a view depends on; raises OSError where the source is out of reach."""
        augment, of_targets = self.augment, None
        if self.mixed:
            labels = hashlib.blake2b(self.examples.labels.tobytes(), digest_size=8).hexdigest()
            of_targets = f"{self.plain.n_classes} {self.plain.one_logit} {labels}"
        return {
            "data": self.examples.fingerprint(),
            "image_size": self.image_size,
            "augment": None if augment is None else augment.settings.model_dump(mode="json"),
            "seed": None if augment is None else augment.seed,
            "view": view,
            "targets": of_targets,
        }

    def order(self, view: int) -> NDArray[np.int64]:
        """``[n]``: the example in each row. What is mixed are neighbours: not of one class."""
        count = len(self.examples)
        seed = None if self.augment is None else self.augment.seed
        places = tf.data.Dataset.range(view, view + 1).flat_map(
            lambda number: shuffled(tf.data.Dataset.range(count), count, seed, number)
        )
        return np.fromiter(places.as_numpy_iterator(), np.int64, count)


@dataclass(frozen=True)
class View:
    """One view of ``images`` as frozen layers see it, ``[*shape]`` float16 for each of them."""

    images: Images
    entry: Entry
    shape: tuple[int, ...]
    flops: int

    @property
    def seconds(self) -> float:
        """What it took to compute it, by its share in the operations of the pass that did."""
        of_pass = json.loads((self.entry.folder / _PASS).read_text())["flops"]
        return self.entry.build_seconds * (self.flops / of_pass if of_pass else 1.0)

    def values(self) -> tf.Tensor:
        """``[n, *shape]`` float16, in the order of :meth:`rows`."""
        return self._mapped(_VALUES, tf.float16, self.shape)

    def targets(self) -> tf.Tensor | None:
        """``[n, units]`` float32, not smoothed, in the order of :meth:`rows`, if mixed."""
        if not self.images.mixed:
            return None
        return self._mapped(_TARGETS, tf.float32, (self.images.plain.units,))

    def rows(self) -> NDArray[np.int64]:
        """``[n]``: the row of each example."""
        return np.argsort(np.fromfile(self.entry.folder / _ORDER, np.int64))

    def _mapped(self, name: str, dtype: tf.DType, shape: tuple[int, ...]) -> tf.Tensor:
        # a tensor whose memory is the file: nothing is read before it is used
        with tf.device("CPU"):
            return tf.raw_ops.ImmutableConst(
                dtype=dtype,
                shape=(len(self.images.examples), *shape),
                memory_region_name=str(self.entry.folder / name),
            )


class Features:
    """Views of what ``prefixes`` give, computed where they are missing.

    Args:
        cache: where they are kept.
        held: takes the entries in use; they stay until it is closed.
        prefixes: frozen models with the input in common, from the lowest cut to the highest. What
            several of them lack is computed in one pass.
        precision: number format that they compute in.
    """

    def __init__(
        self,
        cache: Cache,
        held: contextlib.ExitStack,
        prefixes: Sequence[keras.Model],
        precision: str,
    ) -> None:
        self._cache = cache
        self._held = held
        self._prefixes = prefixes
        self._shapes = [tuple(prefix.output.shape[1:]) for prefix in prefixes]
        self._flops = [flops(prefix) for prefix in prefixes]
        self.seconds = 0.0
        """What has been computed here took so long."""
        self._common: list[dict[str, JsonValue]] = [
            {
                "network": fingerprint(prefix),
                "precision": precision,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            }
            for prefix in prefixes
        ]

    def open(self, images: Images, view: int) -> list[View | None]:
        """One view of ``images`` for each prefix, None where it cannot be kept."""
        views: list[View | None] = []
        for place, shape in enumerate(self._shapes):
            try:
                entry = self._held.enter_context(self._entry(images, view, place, {}))
            except Overflow:
                log.warning("features beyond half precision are not kept, but computed each time")
                entry = None
            if entry is None:
                views.append(None)
                continue
            views.append(View(images, entry, shape, self._flops[place]))
            if entry.built_here:
                self.seconds += entry.build_seconds
        return views

    def _entry(
        self, images: Images, view: int, place: int, building: Mapping[int, Path]
    ) -> contextlib.AbstractContextManager[Entry | None]:
        key = Key(KIND, {**images.parts(view), **self._common[place]})
        each = 2 * math.prod(self._shapes[place]) + 8
        each += 4 * images.plain.units if images.mixed else 0

        def build(folder: Path) -> None:
            self._build(images, view, place, {**building, place: folder})

        return self._cache.open(key, each * len(images.examples) + _PASS_BYTES, build)

    def _build(self, images: Images, view: int, place: int, building: Mapping[int, Path]) -> None:
        """Build into the folders of ``building``, and what lacks of the prefixes after ``place``.

        Always in this order, so that no two processes wait for each other.
        """
        for higher in range(place + 1, len(self._prefixes)):
            with self._entry(images, view, higher, building) as entry:
                if entry is not None and entry.built_here:
                    return
        self._compute(images, view, building)

    def _compute(self, images: Images, view: int, folders: Mapping[int, Path]) -> None:
        augment, examples = images.augment, images.examples
        seed = None if augment is None else augment.seed
        for folder in folders.values():
            images.order(view).tofile(folder / _ORDER)
            (folder / _PASS).write_text(json.dumps({"flops": self._flops[max(folders)]}))
        network = keras.Model(
            self._prefixes[0].input, [self._prefixes[place].output for place in folders]
        )
        source = batches(
            examples, images.image_size, _BATCH, target=images.plain, shuffle_seed=seed
        )

        def compute(pixels: tf.Tensor, targets: tf.Tensor, draw: tf.Tensor) -> tuple[Any, ...]:
            if augment is not None:
                pixels, targets = augment(pixels, targets, draw)
            # Keras gives a list of one tensor as the tensor
            found = keras.tree.flatten(network(pixels, training=False))
            halves = [tf.cast(one, tf.float16) for one in found]
            return halves, targets, [tf.reduce_all(tf.math.is_finite(one)) for one in halves]

        compiled = tf.function(compute, reduce_retracing=True, autograph=False)

        with contextlib.ExitStack() as open_files:
            files = [
                open_files.enter_context((folder / _VALUES).open("wb"))
                for folder in folders.values()
            ]
            of_targets = [
                open_files.enter_context((folder / _TARGETS).open("wb"))
                for folder in folders.values()
                if images.mixed
            ]
            first = tf.constant(view * source.steps, tf.int64)
            for step, (pixels, targets) in enumerate(source.epochs(view, view + 1)):
                halves, changed, finite = compiled(pixels, targets, first + step)
                if not all(finite):
                    raise Overflow
                for file, half in zip(files, halves, strict=True):
                    file.write(half.numpy())
                for file in of_targets:
                    file.write(changed.numpy())
