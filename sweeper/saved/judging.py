"""A saved classifier judged on a data set: figures, tables and pictures in a folder."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.images import OnImages, no_callback
from sweeper.disk.files import write_aside
from sweeper.errors import MissingInput
from sweeper.pictures.confusion_matrix import save_confusion_matrix
from sweeper.pictures.reliability import save_reliability
from sweeper.pictures.samples import GRID, save_samples
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.metrics import OfClass, figures, of_classes, reliability
from sweeper.statistics.intervals import Figure


@dataclass(frozen=True, eq=False)
class Judged:
    """What a classifier says of a data set.

    Attributes:
        names: the classes of the model.
        ids: ``[n]``, what identifies each image in its source.
        truth: ``[n]``, the true classes, as the model counts them.
        probabilities: ``[n, classes]``.
        unknown: images of each class of the data that the model does not have; they are not judged.
        absent: classes of the model of which the data has no image.
        mistakes: the images that were taken for another class with the highest probability,
            ``[m, height, width, 3]``, and their places among the judged, the worst first.
    """

    names: tuple[str, ...]
    ids: Sequence[str]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    unknown: Mapping[str, int]
    absent: tuple[str, ...]
    mistakes: tuple[NDArray[np.float32], Sequence[int]]


def judge(
    classifier: SavedClassifier,
    examples: Examples,
    class_names: Sequence[str],
    batch_size: int,
    on_images: OnImages = no_callback,
) -> Judged:
    """Predict all ``examples``, whose classes are told apart by name.

    Raises:
        MissingInput: no class of the data is one of the model's.
    """
    known = {name: label for label, name in enumerate(classifier.card.class_names)}
    mapped = np.array([known.get(name, -1) for name in class_names], np.int64)
    truth = mapped[examples.labels]
    counts = np.bincount(examples.labels, minlength=len(class_names))
    unknown = {
        name: int(count)
        for name, count, label in zip(class_names, counts, mapped, strict=True)
        if label < 0 and count
    }
    if not (truth >= 0).any():
        raise MissingInput(
            f"the data has the classes {_some(class_names)}, the model {_some(list(known))}: none "
            "in common"
        )
    judged = examples.select(np.flatnonzero(truth >= 0))
    truth = truth[truth >= 0]
    plain = batches(
        judged,
        classifier.card.image_size,
        batch_size,
        target=lambda labels: labels,
        shuffle_seed=None,
    )
    found: list[NDArray[np.float32]] = []
    worst = _Worst()
    done = 0
    for images, _ in plain.dataset:
        probabilities = classifier.of_batch(images)
        found.append(probabilities)
        worst.add(images.numpy(), probabilities, truth[done : done + len(probabilities)], done)
        done += len(probabilities)
        on_images(done, len(judged))
    present = set(truth.tolist())
    absent = tuple(name for name, label in known.items() if label not in present)
    ids = [judged.identify(int(place)) for place in judged.indices]
    names = classifier.card.class_names
    return Judged(names, ids, truth, np.concatenate(found), unknown, absent, worst.shown())


class _Worst:
    """The mistakes that the model was surest of, so far."""

    def __init__(self) -> None:
        self._held: list[tuple[float, int, NDArray[np.float32]]] = []

    def add(
        self,
        images: NDArray[np.float32],
        probabilities: NDArray[np.float32],
        truth: NDArray[np.int64],
        first: int,
    ) -> None:
        said = probabilities.argmax(axis=1)
        for place in np.flatnonzero(said != truth):
            sure = float(probabilities[place, said[place]])
            self._held.append((-sure, first + int(place), images[place]))
        self._held.sort(key=lambda one: one[:2])
        del self._held[GRID**2 :]

    def shown(self) -> tuple[NDArray[np.float32], Sequence[int]]:
        images = [image for _, _, image in self._held]
        return np.array(images, np.float32), [place for _, place, _ in self._held]


def write(judged: Judged, folder: Path, about: Mapping[str, str]) -> Mapping[str, Figure]:
    """Write everything to ``folder``; returns the figures of all images.

    ``evaluation.json`` has ``about`` and all figures, ``classes.csv`` those of each class,
    ``predictions.csv`` a row for each image; beside them the pictures.
    """
    found = figures(judged.probabilities, judged.truth)
    classes = of_classes(judged.probabilities, judged.truth, judged.names)
    said = judged.probabilities.argmax(axis=1)
    bins = reliability(judged.probabilities, judged.truth)
    save_confusion_matrix(folder / "confusion_matrix.png", judged.truth, said, judged.names)
    save_reliability(
        folder / "reliability.png",
        [one.confidence for one in bins],
        [one.accuracy for one in bins],
        [one.images for one in bins],
        found["expected_calibration_error"].value,
    )
    images, places = judged.mistakes
    sheet = folder / "mistakes.png"
    sheet.unlink(missing_ok=True)  # of an earlier evaluation
    if places:
        names = [
            f"{judged.names[said[place]]} {judged.probabilities[place].max():.2f}, "
            f"is {judged.names[judged.truth[place]]}"
            for place in places
        ]
        save_samples(sheet, images, range(len(places)), names)
    write_aside(folder / "classes.csv", _table_of_classes(classes))
    write_aside(folder / "predictions.csv", _table_of_images(judged, said))
    content = {
        **about,
        "images": len(judged.truth),
        "figures": {name: asdict(figure) for name, figure in found.items()},
        "classes": [asdict(one) for one in classes],
        "reliability": [asdict(one) for one in bins],
        "classes_that_the_model_lacks": dict(judged.unknown),
        "classes_that_the_data_lacks": list(judged.absent),
    }
    write_aside(folder / "evaluation.json", f"{json.dumps(content, indent=2)}\n")
    return found


def _table_of_classes(classes: Sequence[OfClass]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    measured = ("precision", "recall")
    bounds = [f"{name}{end}" for name in measured for end in ("", "_low", "_high")]
    rows.writerow(["class", "images", *bounds, "f1"])
    for one in classes:
        cells: list[float | None] = []
        for figure in (one.precision, one.recall):
            cells += [None] * 3 if figure is None else [figure.value, figure.low, figure.high]
        rows.writerow([one.name, one.images, *cells, one.f1])
    return text.getvalue()


def _table_of_images(judged: Judged, said: NDArray[np.int64]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["image", "class", "predicted", "probability", "probability_of_class"])
    for place, image in enumerate(judged.ids):
        row, label = judged.probabilities[place], judged.truth[place]
        rows.writerow(
            [image, judged.names[label], judged.names[said[place]], row.max(), row[label]]
        )
    return text.getvalue()


def _some(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(map(repr, names[:shown]))}{more}"
