"""What entries of features lack: taken from older entries where these have it, or else computed."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeper.cache.shared_cache import Cache
from sweeper.data.content_hash import is_unchanged
from sweeper.data.examples import Hashes
from sweeper.data.images import OnImages
from sweeper.data.row_reuse import write_index
from sweeper.models.prefix import Prefix
from sweeper.train.frozen.frozen_pass import FrozenPass
from sweeper.train.frozen.reused_features import Place, missing
from sweeper.train.frozen.view_images import Missing
from sweeper.train.frozen.views import Images


class Computing:
    """Fills entries that are being built, and counts what it does.

    Args:
        cache: where older entries are.
        prefixes: from the lowest cut to the highest; a place is the number of one.
        on_images: called with how many images have gone through frozen layers, and how many are to.
    """

    def __init__(self, cache: Cache, prefixes: Sequence[Prefix], on_images: OnImages) -> None:
        self._cache = cache
        self._pass = FrozenPass(prefixes)
        self._on_images = on_images
        self._done, self._total = 0, 0
        self._hashes: dict[str, Hashes] = {}
        self.seconds = 0.0
        """What has been done here took so long."""
        self.computed = 0
        """So many images went through frozen layers here; each view of an image counts as one."""
        self.reused = 0
        """So many need not, since older entries have what these give."""

    def expect(self, images: int) -> None:
        """Say that so many more images are to be computed, unless older entries have them."""
        self._total += images

    def fill(self, images: Images, places: Mapping[int, Place]) -> None:
        """Write all files of the entries of ``places``, from the lowest to the highest.

        Raises:
            OSError: the disk does not take it.
            tf.errors.OpError: an image cannot be read or decoded.
        """
        began, before = time.perf_counter(), self._done
        try:
            wanted = self._missing(images, list(places.values()))
            folders = {number: place.folder for number, place in places.items()}
            self._pass.write(images, folders, wanted, self._on_batch)
            self._done = before + len(wanted.rows)  # it ends early where nothing can be kept
            if wanted.hashes is not None:
                self._write_index(images, list(folders.values()), wanted.hashes)
        finally:
            self.seconds += time.perf_counter() - began

    def _missing(self, images: Images, places: Sequence[Place]) -> Missing:
        if not images.indexed:
            return Missing.all_of(images)
        if images.data not in self._hashes:
            self._hashes[images.data] = images.hashes()
        found = missing(self._cache, places, self._hashes[images.data])
        known = len(images) - len(found.rows)
        self.reused += known
        self._total -= known
        return found

    def _on_batch(self, count: int) -> None:
        self._done += count
        self.computed += count
        # an entry may have been evicted since they were counted
        self._total = max(self._total, self._done)
        self._on_images(self._done, self._total)

    def _write_index(self, images: Images, folders: Sequence[Path], hashes: Hashes) -> None:
        sure = is_unchanged(images.examples, images.data)
        for folder in folders:
            write_index(folder, hashes if sure else None)
