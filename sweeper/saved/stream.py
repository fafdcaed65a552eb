"""Predictions for any number of files: read and decoded on all cores while the network computes."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.data.batches import parallelism
from sweeper.data.image_reading.channels import Pixels
from sweeper.saved.classifier import SavedClassifier, UnreadableImage

_AHEAD = 2
"""Batches that are decoded before the network needs them; more would only take memory."""


@dataclass(frozen=True)
class Predicted:
    """Of one file: ``probabilities`` ``[classes]``, or None and why it could not be read."""

    file: str
    probabilities: NDArray[np.float32] | None
    fault: str = ""


def predictions(
    classifier: SavedClassifier, files: Iterable[str], batch_size: int
) -> Iterator[Predicted]:
    """What ``classifier`` says of each of ``files``, in their order.

    Memory does not grow with their number: so many are read ahead as the network takes in a few
    batches.
    """
    waiting: deque[tuple[str, Future[Pixels]]] = deque()
    left = iter(files)
    with ThreadPoolExecutor(parallelism(), thread_name_prefix="decode") as pool:

        def fill() -> None:
            room = _AHEAD * batch_size + batch_size - len(waiting)
            for file in itertools.islice(left, room):
                waiting.append((file, pool.submit(_read, classifier, file)))

        fill()
        while waiting:
            batch = [waiting.popleft() for _ in range(min(batch_size, len(waiting)))]
            yield from _of_batch(classifier, batch)
            fill()


def _of_batch(
    classifier: SavedClassifier, batch: list[tuple[str, Future[Pixels]]]
) -> Iterator[Predicted]:
    images, faults = [], dict[int, str]()
    for place, (_, decoded) in enumerate(batch):
        try:
            images.append(decoded.result())
        except UnreadableImage as error:
            faults[place] = str(error)
        except OSError as error:
            faults[place] = error.strerror or str(error)
    found: Iterator[NDArray[np.float32]] = iter(classifier.probabilities(images) if images else [])
    for place, (file, _) in enumerate(batch):
        if place in faults:
            yield Predicted(file, None, faults[place])
        else:
            yield Predicted(file, next(found))


def _read(classifier: SavedClassifier, file: str) -> Pixels:
    return classifier.decoded(Path(file).expanduser().read_bytes())
