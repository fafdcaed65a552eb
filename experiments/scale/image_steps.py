"""Steps of a fine-tune on the images of a folder, by the code of sweeper itself, each timed."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photographs import SIDE

if TYPE_CHECKING:
    from sweeper.config import Recipe

MOST = 20_000
"""Images of an epoch of all blocks that are timed, where it has more."""


@dataclass(frozen=True)
class Timed:
    """Seconds of the wall and of all processors, and the images that took them."""

    wall: float
    processors: float
    images: int

    def since(self, earlier: "Timed") -> "Timed":
        """What was added to ``earlier``."""
        return Timed(
            self.wall - earlier.wall,
            self.processors - earlier.processors,
            self.images - earlier.images,
        )


class Enough(Exception):
    """An epoch has lasted for as many images as are timed."""


def at(images: int = 0) -> Timed:
    """Now, with so many images done."""
    return Timed(time.perf_counter(), time.process_time(), images)


def recipe(folder: Path, *more: str) -> "Recipe":
    """EfficientNet-Lite0 on the images of ``folder``, 80 % of which train and 20 % validate."""
    from hydra import compose, initialize_config_dir

    from sweeper.paths import conf_dir
    from sweeper.validation import parse

    words = ["dataset=folder", f"dataset.path={folder}", "dataset.test_fraction=0", *more]
    words += [f"image_size={SIDE}", "tracking.system_metrics_seconds=null"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return parse(compose("config", words, return_hydra_config=True))


def scan(folder: Path) -> Timed:
    """Look at every image, as a sweep does first."""
    from sweeper.data.sources import loading

    dataset, began = recipe(folder).dataset, at()
    loading.prepare(dataset)
    return at(_count(folder)).since(began)


def decoding(folder: Path) -> Timed:
    """Hash and decode every image into the cache."""
    from sweeper.cache.shared_cache import Cache
    from sweeper.data.images import kept
    from sweeper.data.sources import loading
    from sweeper.paths import entries_dir

    dataset, began = recipe(folder).dataset, at()
    source = loading.load(dataset)
    with kept(Cache(entries_dir(), 10**11), source.train, SIDE):
        return at(_count(folder)).since(began)


def features(folder: Path) -> Timed:
    """Take every decoded image through the backbone once."""
    from sweeper.train.prebuild import prebuild

    decoding(folder)
    recipes, began = [recipe(folder, "phases.frozen.epochs=1", "phases.unfrozen=null")], at()
    return at(prebuild(recipes).computed).since(began)


def head(folder: Path) -> Timed:
    """Train the head on features."""
    return _second_epoch(folder, "phases.frozen.epochs=2", "phases.unfrozen=null")


def top(folder: Path) -> Timed:
    """Train the top 2 blocks on what those below give."""
    more = ["phases.unfrozen.epochs=2", "freeze=top_2_blocks"]
    return _second_epoch(folder, "phases.frozen=null", *more)


def everything(folder: Path) -> Timed:
    """Train all blocks on decoded images, :data:`MOST` of an epoch."""
    found = list[Timed]()

    def on_advance(work: str, done: int, _total: int) -> None:
        if work == "unfrozen epoch 1":
            found.append(at(done))
            if done >= MOST:
                raise Enough

    with contextlib.suppress(Enough):
        more = ["phases.unfrozen.epochs=1", "freeze=everything", "cache.views=0"]
        _trial(recipe(folder, "phases.frozen=null", *more), lambda: None, on_advance)
    return found[-1].since(found[0])


def _second_epoch(folder: Path, *more: str) -> Timed:
    ended = list[Timed]()
    made, images = recipe(folder, *more), _count(folder)
    _trial(made, lambda: ended.append(at(images * len(ended))), lambda *_: None)
    return ended[1].since(ended[0])


def _trial(
    recipe: "Recipe", on_epoch: Callable[[], None], on_advance: Callable[[str, int, int], None]
) -> None:
    from sweeper.app.recorded import train
    from sweeper.records import UNOWNED
    from sweeper.study_files.trial_paths import TrialPaths

    def report(*_report: Any, **_more: Any) -> None:
        on_epoch()

    with tempfile.TemporaryDirectory(dir=os.environ["XDG_CACHE_HOME"]) as folder:
        train(recipe, TrialPaths(Path(folder)), report, UNOWNED, False, None, on_advance)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.jpg"))


FROM_START = {"scan": scan, "decoding": decoding, "view": features}
"""Timed with all that they begin with."""
EPOCHS = {"head": head, "top": top, "all": everything}
"""Timed in the middle of a trial."""
NAMES = {
    "scan": "scan",
    "decoding": "hashing and decoding",
    "view": "one view of features",
    "head": "head-only epoch",
    "top": "unfrozen epoch, top 2 blocks, on kept activations",
    "all": "unfrozen epoch, all blocks, on decoded images",
}
