"""Writes a classifier in several formats, each checked before it gets its name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.sources.loading import load
from sweeper.errors import SweeperError
from sweeper.export.exported_folder import ExportedFolder, remove
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
    folder: ExportedFolder,
    pictures: Pictures,
    on_checked: OnChecked,
) -> None:
    """Write ``classifier`` to ``folder`` in each of ``formats``, and a page about them.

    Args:
        classifier: loaded from a file.
        name: what a person calls it.
        formats: names of :data:`FORMATS`.
        folder: for the file of ``classifier``.
        pictures: to compare by.
        on_checked: called after each format.

    Raises:
        SweeperError: a format cannot express the network, or a file gives other probabilities than
            the original, by more than its format's bound. That file is not kept; those before it
            are there.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    original = np.concatenate(
        [classifier.probabilities(image[np.newaxis]) for image in pictures.validation]
    )
    for one in formats:
        # the writers go by the suffix
        aside = folder.path / f".aside.{FORMATS[one].file}"
        try:
            checked = _export(classifier, FORMATS[one], aside, pictures, original)
            folder.add(one, aside, checked, name, classifier.card)
        finally:
            remove(aside)
        on_checked(one, checked)


def _export(
    classifier: SavedClassifier,
    chosen: Format,
    path: Path,
    pictures: Pictures,
    original: NDArray[np.float32],
) -> Checked:
    remove(path)
    try:
        chosen.write(classifier, path, pictures.training)
        run = chosen.open_file(path)
        checked = check(run, path, pictures.validation, pictures.ids, original)
    except Exception as error:  # converters and runtimes have classes of their own
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SweeperError(f"{chosen.file} cannot be made of this network: {first}") from error
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
