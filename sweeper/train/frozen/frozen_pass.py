"""One pass of images through frozen layers, written to files as it goes."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import keras
import tensorflow as tf

from sweeper.data.row_reuse import write_rows
from sweeper.models.folding import Folded
from sweeper.models.prefix import Prefix
from sweeper.train.frozen.view_images import Missing, ViewImages
from sweeper.train.frozen.views import ORDER, PASS, TARGETS, VALUES, Images

log = logging.getLogger(__name__)

NUMBERS = 1
"""Version of what a pass writes for the same network and images, part of its cache key: of this
module, of ``models/folding.py`` and ``models/depthwise.py``. Raise it when other numbers may come
out; ``tests/test_golden_numbers.py`` notices."""

Compute = Callable[[tf.Tensor], list[tf.Tensor]]
"""From images to what each of several prefixes gives."""


class FrozenPass:
    """Takes images through several of ``prefixes`` at once, which have the input in common.

    A place is the number of a prefix; of two, the higher one is cut as high or higher.
    """

    def __init__(self, prefixes: Sequence[Prefix]) -> None:
        self._prefixes = prefixes
        self._computations: dict[tuple[int, ...], Compute] = {}
        self._images = ViewImages()

    def write(
        self,
        images: Images,
        folders: Mapping[int, Path],
        missing: Missing,
        on_batch: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """Write what a view needs (see ``views.py``) into a folder for each place.

        Values beyond half precision leave an empty file, for all who come later.

        Args:
            images: the view.
            folders: by place, of entries that are being built.
            missing: what is to be computed; the rest is in the files already.
            on_batch: called with the number of images in each batch that is done.

        Raises:
            OSError: the disk does not take it.
        """
        order = images.order
        for folder in folders.values():
            order.tofile(folder / ORDER)
        seconds = missing.reused_seconds
        if len(missing.rows):
            compute = self._computation(tuple(folders))  # which may build the network
            began = time.perf_counter()
            self._write(images, folders, missing, compute, on_batch)
            seconds += time.perf_counter() - began
        made = {"flops": self._prefixes[max(folders)].summary.size.flops, "seconds": seconds}
        for folder in folders.values():
            (folder / PASS).write_text(json.dumps(made), encoding="ascii")

    def _write(
        self,
        images: Images,
        folders: Mapping[int, Path],
        missing: Missing,
        compute: Compute,
        on_batch: Callable[[int], None],
    ) -> None:
        kept = ", ".join(str(self._prefixes[place].summary.shape) for place in folders)
        log.info(
            "frozen layers see %d of %d images, view %d, to keep %s",
            *(len(missing.rows), len(images), images.view, kept),
        )
        with contextlib.ExitStack() as open_files:

            def opened(name: str) -> list[BinaryIO]:
                return [
                    open_files.enter_context(_to_change(folder / name))
                    for folder in folders.values()
                ]

            values, of_targets = opened(VALUES), opened(TARGETS) if images.mixed else []
            beyond: set[int] = set()
            for rows, pixels, targets in self._images.inputs(images, missing):
                halves = [tf.cast(one, tf.float16) for one in compute(pixels)]
                fit = [bool(tf.reduce_all(tf.math.is_finite(half))) for half in halves]
                beyond |= {number for number, fits in enumerate(fit) if not fits}
                if len(beyond) == len(values):
                    break
                for file, half in zip(values, halves, strict=True):
                    write_rows(file, rows, half.numpy())
                for file in of_targets:
                    write_rows(file, rows, targets.numpy())
                on_batch(len(rows))
            for number in beyond:
                values[number].truncate(0)

    def _computation(self, places: tuple[int, ...]) -> Compute:
        """What the prefixes at these places give, traced once for all views."""
        if places not in self._computations:
            networks = [self._prefixes[place].network for place in places]
            images = networks[0].input
            network = Folded(keras.Model(images, [one.output for one in networks]))
            shape = tf.TensorSpec(images.shape, images.dtype)
            self._computations[places] = tf.function(
                # Keras gives a list of one tensor as the tensor
                lambda pixels: keras.tree.flatten(network(pixels, training=False)),
                autograph=False,
                input_signature=[shape],
            )
        return self._computations[places]


def _to_change(file: Path) -> BinaryIO:
    """``file``, open for writing at any place; what it holds stays."""
    return file.open("r+b" if file.exists() else "wb")
