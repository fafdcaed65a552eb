"""Writes a classifier in several formats, each checked before it gets its name."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.sources.loading import load
from sweeper.errors import SweeperError
from sweeper.export.feeding_page import write_page
from sweeper.export.file_check import Checked, check
from sweeper.export.file_formats import FORMATS, Format
from sweeper.export.float32 import is_half
from sweeper.saved.classifier import SavedClassifier
from sweeper.train.folds import splits_of

_CALIBRATING = 100
"""Training images by which 8-bit ranges are measured; LiteRT's guide asks for 100 to 500."""

_HALF_BOUND = 0.05
"""Of a probability, where the original computes in half precision and the file in float32."""

OnChecked = Callable[[str, Checked], None]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images of the classifier's own data set, as the network takes them.

    Attributes:
        validation: ``[n, side, side, 3]`` in [0, 255].
        ids: what identifies each of these.
        training: ``[m, side, side, 3]``, other ones.
    """

    validation: NDArray[np.float32]
    ids: Sequence[str]
    training: NDArray[np.float32]

    @classmethod
    def of(cls, classifier: SavedClassifier, count: int) -> "Pictures":
        """At most ``count`` to compare by, spread over all."""
        recipe, side = classifier.card.parsed_recipe(), classifier.card.image_size
        train, held_out = splits_of(load(recipe.dataset), recipe)[0]
        chosen, calibrating = _spread(held_out, count), _spread(train, _CALIBRATING)
        ids = [chosen.identify(int(place)) for place in chosen.indices]
        return cls(_images(chosen, side), ids, _images(calibrating, side))


def export(
    classifier: SavedClassifier,
    name: str,
    formats: Sequence[str],
    folder: Path,
    pictures: Pictures,
    on_checked: OnChecked,
) -> Mapping[str, Checked]:
    """Write ``classifier`` to ``folder`` in each of ``formats``, and a page about them.

    Args:
        classifier: loaded from a file.
        name: what a person calls it.
        formats: names of :data:`FORMATS`.
        folder: made if need be; files of these formats in it are replaced.
        pictures: to compare by.
        on_checked: called after each format.

    Raises:
        MissingInput: a format needs a package that is not installed.
        SweeperError: a file gives other probabilities than the original, by more than its format's
            bound. That file is not there then; those before it are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    original = np.concatenate(
        [classifier.probabilities(image[np.newaxis]) for image in pictures.validation]
    )
    found: dict[str, Checked] = {}
    for one in formats:
        # the writers go by the suffix
        path, aside = folder / FORMATS[one].file, folder / f".aside.{FORMATS[one].file}"
        try:
            found[one] = _export(classifier, FORMATS[one], aside, pictures, original)
            if path.is_dir():
                _remove(path)
            aside.replace(path)
        finally:
            _remove(aside)
        on_checked(one, found[one])
    write_page(folder, name, classifier.card, found)
    return found


def _export(
    classifier: SavedClassifier,
    chosen: Format,
    path: Path,
    pictures: Pictures,
    original: NDArray[np.float32],
) -> Checked:
    _remove(path)
    chosen.write(classifier, path, pictures.training)
    checked = check(chosen.open_file(path), path, pictures.validation, pictures.ids, original)
    bound = max(chosen.bound, _HALF_BOUND) if is_half(classifier.network) else chosen.bound
    if checked.largest > bound:
        raise SweeperError(
            f"{chosen.file} is not the model: for image {checked.worst} a probability differs by "
            f"{checked.largest:.2g} (at most {bound:g} is expected), and "
            f"{checked.changed} of {checked.images} images get another class; it was not kept"
        )
    return checked


def _spread(examples: Examples, count: int) -> Examples:
    """At most ``count`` of them, at equal distances."""
    places = np.linspace(0, len(examples) - 1, min(count, len(examples)))
    return examples.select(np.unique(places.round().astype(np.int64)))


def _images(examples: Examples, side: int) -> NDArray[np.float32]:
    plain = batches(examples, side, 32, target=lambda labels: labels, shuffle_seed=None)
    return np.concatenate([images.numpy() for images, _ in plain.dataset])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
