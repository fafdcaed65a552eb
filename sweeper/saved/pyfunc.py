"""The classifier as MLflow calls it: a table of images to a table of classes and probabilities.

MLflow imports this module by the name that stands in the model's ``MLmodel`` file, in a process of
its own when it serves the model.
"""

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweeper.data.image_reading.channels import Pixels
from sweeper.errors import SweeperError
from sweeper.saved.card import NETWORK
from sweeper.saved.classifier import SavedClassifier

IMAGE = "image"
CLASS, PROBABILITY, PROBABILITIES = "class", "probability", "probabilities"
"""Columns of the tables."""
_BATCH = 32


class Pyfunc:
    """What ``mlflow.pyfunc.load_model`` wraps."""

    def __init__(self, classifier: SavedClassifier) -> None:
        self._classifier = classifier

    def get_raw_model(self) -> SavedClassifier:
        """What answers; ``PyFuncModel.get_raw_model`` returns it."""
        return self._classifier

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """A row for each image: its class, the probability of that, and those of all classes.

        Args:
            model_input: a table with the column ``image``, or a sequence; each image as the bytes
                of a file, the same in base64 (as JSON has it), or uint8 pixels ``[height, width]``
                or ``[height, width, 1, 3 or 4]``.
            params: none are known.

        Raises:
            SweeperError: an image cannot be decoded; names its row.
        """
        images = [self._image(row, one) for row, one in enumerate(_images(model_input))]
        parts = [
            self._classifier.probabilities(images[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
        names = self._classifier.card.class_names
        probabilities = np.concatenate(parts) if parts else np.zeros((0, len(names)), np.float32)
        best = probabilities.argmax(axis=1)
        return pd.DataFrame(
            {
                CLASS: [names[k] for k in best],
                PROBABILITY: probabilities[np.arange(len(best)), best].astype(float),
                PROBABILITIES: [
                    dict(zip(names, row.astype(float).tolist(), strict=True))
                    for row in probabilities
                ],
            }
        )

    def _image(self, row: int, image: Any) -> Pixels:
        try:
            if isinstance(image, np.ndarray | list):
                return self._classifier.resized(_pixels(image))
            return self._classifier.decoded(_encoded(image))
        except SweeperError as error:
            raise SweeperError(f"image {row}: {error}") from error


def _load_pyfunc(path: str) -> Pyfunc:
    """Called by MLflow with the folder of the model's files."""
    return Pyfunc(SavedClassifier.load(Path(path) / NETWORK))


def _images(model_input: Any) -> Iterable[Any]:
    if isinstance(model_input, pd.DataFrame):
        if IMAGE not in model_input:
            raise SweeperError(
                f"the table has no column {IMAGE!r}, but {', '.join(map(str, model_input.columns))}"
            )
        images: list[Any] = []
        for cell in model_input[IMAGE]:
            # MLflow makes one row of a dictionary whose values are lists of text
            several = isinstance(cell, list) and cell and isinstance(cell[0], str | bytes)
            images += cell if several else [cell]
        return images
    if isinstance(model_input, dict):
        return _images(pd.DataFrame(model_input))
    return list(model_input)


def _pixels(image: "NDArray[Any] | list[Any]") -> NDArray[Any]:
    """An array as it is; lists, which JSON has in place of uint8, as long as nothing is lost."""
    if isinstance(image, np.ndarray):
        return image
    try:
        numbers = np.array(image)
    except ValueError as error:
        raise SweeperError(f"its rows of pixels differ in length ({error})") from error
    if numbers.dtype.kind not in "iu" or not numbers.size:
        raise SweeperError(f"pixels are whole numbers from 0 to 255, got {numbers.dtype}")
    if numbers.min() < 0 or numbers.max() > 255:
        raise SweeperError(
            f"pixels are whole numbers from 0 to 255, got {numbers.min()} to {numbers.max()}"
        )
    return numbers.astype(np.uint8)


def _encoded(image: Any) -> bytes:
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str):
        try:
            return base64.b64decode(image.partition("base64,")[2] or image, validate=True)
        except binascii.Error as error:
            raise SweeperError(f"its text is no base64 ({error})") from error
    raise SweeperError(f"an image is bytes, base64 or pixels, got {type(image).__name__}")
