"""What frozen layers make of images, computed once and kept for all trials of the machine."""

import contextlib
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from pydantic import JsonValue
from rich.filesize import decimal

from sweeper.cache.disk import advice, describe
from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache, Entry
from sweeper.data.images import OnImages, no_callback
from sweeper.models.prefix import Prefix
from sweeper.train.frozen import frozen_pass
from sweeper.train.frozen.computing import Computing
from sweeper.train.frozen.reused_features import Place
from sweeper.train.frozen.views import BATCH, Images, View, read

log = logging.getLogger(__name__)

KIND = "features"


class _Refused(Exception):
    """The disk did not take what a pass made for ``places``."""

    def __init__(self, places: frozenset[int], error: OSError) -> None:
        self.places = places
        self.error = error
        super().__init__(places, error)


class Features:
    """Views of what ``prefixes`` give, computed where they are missing.

    What several cuts lack of the same images is computed in one pass, but for images that older
    entries have features of: those of another data set, or of this one before it was changed. The
    entry of the lowest cut is opened first; to build it, the entries of the higher cuts are opened
    within its lock, one within the other, and the innermost builder runs the pass into the folders
    of all of them. All processes open them in this order, so none waits for another that waits for
    it.

    Args:
        cache: where they are kept.
        prefixes: frozen parts with the input in common, in any order; some may be the same. Their
            networks are built only where they must compute.
        precision: number format that they compute in.
        on_images: called as images go through frozen layers here: each augmented view of an image
            counts as one.
    """

    def __init__(
        self,
        cache: Cache,
        prefixes: Sequence[Prefix],
        precision: str,
        on_images: OnImages = no_callback,
    ) -> None:
        self._cache = cache
        unique = {prefix.summary.hash: prefix for prefix in prefixes}
        # from the lowest cut to the highest, in every process alike
        order = sorted(unique, key=lambda key: (unique[key].summary.operations, key))
        self._place_of = [order.index(prefix.summary.hash) for prefix in prefixes]
        self._summaries = [unique[key].summary for key in order]
        self._common: list[dict[str, JsonValue]] = [
            {
                "network": key,
                "precision": precision,
                # the last bits depend on what is computed together
                "numbers": f"{frozen_pass.NUMBERS}, batches of {BATCH}",
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            }
            for key in order
        ]
        self._wanted: dict[int, dict[Images, None]] = {}
        self._held: dict[int, contextlib.ExitStack] = {}
        self.computing = Computing(cache, [unique[key] for key in order], on_images)
        """Counts what was computed here."""

    def open(
        self, wanted: Sequence[Sequence[Images]], held: contextlib.ExitStack
    ) -> list[list[View] | None]:
        """For each prefix a view of all images that are wanted of it, or None.

        What several prefixes lack of the same images is computed in one pass. None where one of
        the views cannot be kept; a line of the log says why.

        Args:
            wanted: for each prefix, in the order in which they were given.
            held: takes the entries in use; they stay until it is closed.
        """
        self._wanted = {}
        for place, images in zip(self._place_of, wanted, strict=True):
            self._wanted.setdefault(place, {}).update(dict.fromkeys(images))
        self._drop_what_is_too_large()
        self._held = {place: held.enter_context(contextlib.ExitStack()) for place in self._wanted}
        views: dict[tuple[int, Images], View] = {}
        sets = list(dict.fromkeys(itertools.chain.from_iterable(wanted)))
        self.computing.expect(sum(len(one) for one in sets if self._lacks(one)))
        for one in sets:
            for place in self._wanting(one):
                if place in self._wanted and (view := self._view(one, place)):
                    views[place, one] = view
        return [
            [views[place, one] for one in images] if place in self._wanted else None
            for place, images in zip(self._place_of, wanted, strict=True)
        ]

    def _drop_what_is_too_large(self) -> None:
        budget, total = self._cache.budget_bytes, 0
        # what is cut higher is smaller, and saves more
        for place in sorted(self._wanted, reverse=True):
            shape = self._summaries[place].shape
            size = sum(images.bytes_of(shape) for images in self._wanted[place])
            if total + size <= budget:
                total += size
                continue
            log.warning(
                "what frozen layers give (%s an image, %s in all views) is not kept, but computed "
                "in each epoch: cache.budget_gb is %s; raise it, or lower cache.views",
                shape,
                decimal(size),
                decimal(budget),
            )
            del self._wanted[place]

    def _wanting(self, images: Images) -> list[int]:
        """Places of the prefixes, from the lowest, for which these images are to be kept."""
        return sorted(place for place, wanted in self._wanted.items() if images in wanted)

    def _lacks(self, images: Images) -> bool:
        """Whether some prefix for which these images are to be kept has no entry of them yet."""
        keys = (self._key(images, place) for place in self._wanting(images))
        return any(not self._cache.has(key) for key in keys)

    def _lose(self, place: int) -> None:
        """Release the views of a prefix: without one of them the others are of no use."""
        self._wanted.pop(place, None)
        self._held[place].close()

    def _view(self, images: Images, place: int) -> View | None:
        view = None
        try:
            entry = self._held[place].enter_context(self._open(images, place, {}))
        except _Refused as refused:
            reason = describe(refused.error)
            log.warning("features are not kept: %s; %s", reason, advice(self._cache.folder))
            for other in refused.places:
                self._lose(other)
            return None
        if entry is not None:  # else the cache has reported why
            try:
                summary = self._summaries[place]
                view = read(images, entry, summary.shape, summary.size.flops)
            except OSError as error:
                log.warning("features are computed each time, they cannot be mapped: %s", error)
            else:
                if view is None:
                    log.warning("features beyond half precision are computed each time")
        if view is None:
            self._lose(place)
        return view

    def _open(
        self, images: Images, place: int, building: Mapping[int, Path]
    ) -> contextlib.AbstractContextManager[Entry | None]:
        """The entry of one cut; ``building`` has the folders of lower cuts that are being built."""

        def build(folder: Path) -> None:
            self._build(images, {**building, place: folder})

        size = images.bytes_of(self._summaries[place].shape)
        return self._cache.open(self._key(images, place), size, build)

    def _key(self, images: Images, place: int) -> Key:
        return Key(KIND, {**images.parts, **self._common[place]})

    def _build(self, images: Images, building: Mapping[int, Path]) -> None:
        """Build into the folders of ``building``, and what the higher cuts lack."""
        for higher in self._wanting(images):
            if higher > max(building):
                with self._open(images, higher, building) as entry:
                    if entry is not None and entry.built_here:
                        return  # with it, all of ``building``
        self._compute(images, building)

    def _compute(self, images: Images, building: Mapping[int, Path]) -> None:
        places = {
            place: Place(self._key(images, place), folder, self._summaries[place])
            for place, folder in building.items()
        }
        try:
            self.computing.fill(images, places)
        except OSError as error:  # of the disk: TensorFlow reads images, and has errors of its own
            raise _Refused(frozenset(building), error) from error
