"""What belongs to a saved network: how it is fed, what it answers, where it comes from.

It is a member of the ``.keras`` file itself, so that one file is the whole classifier. Keras reads
the members that it knows, and leaves this one alone.
"""

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sweeper.config import Recipe
from sweeper.disk.files import open_aside
from sweeper.errors import SweeperError

NETWORK = "model.keras"
"""Name of a classifier's file."""
IN_MLFLOW = "data/classifier"
"""Where that file lies in the folder of a model that MLflow keeps."""

_MEMBER = "sweeper.json"
_FORMAT = 1


@dataclass(frozen=True)
class Card:
    """Of a classifier.

    Attributes:
        class_names: output ``k`` is the probability of ``class_names[k]``.
        image_size: side of the square images that the network takes, in pixels.
        max_pixels: of an image file; one with more is not decoded.
        recipe: the resolved recipe, as plain data.
        data: a hash of the images and labels that it was trained and validated on; empty where
            the data set has none.
        versions: of the libraries, by name.
        validation: what was measured of this network on the validation images.
        test: the same on the test images; empty where it was not tested.
        origin: study, trial and MLflow run that it comes from, by those names.
    """

    class_names: tuple[str, ...]
    image_size: int
    max_pixels: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)

    def parsed_recipe(self) -> Recipe:
        """The recipe that the network was trained by."""
        return Recipe.model_validate_json(json.dumps(self.recipe))


def write_card(network: Path, card: Card, target: Path) -> None:
    """Write the file ``network``, as Keras saves one, with its ``card`` aside, then to ``target``.

    A card that is in it already is left out.
    """
    text = json.dumps({"format": _FORMAT, **asdict(card)}, indent=2)
    with (
        open_aside(target) as file,
        zipfile.ZipFile(network) as source,
        zipfile.ZipFile(file, "w") as whole,
    ):
        for member in source.infolist():
            if member.filename != _MEMBER:
                with source.open(member) as part, whole.open(member, "w") as copy:
                    shutil.copyfileobj(part, copy)
        whole.writestr(_MEMBER, text)


def read_card(network: Path) -> Card:
    """The card of the ``.keras`` file ``network``.

    Raises:
        SweeperError: it cannot be read, or it has no card, or one of a later version.
    """
    try:
        with zipfile.ZipFile(network) as file:
            known = json.loads(file.read(_MEMBER)) if _MEMBER in file.namelist() else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SweeperError(f"{network} cannot be loaded: {error}") from error
    if known is None:
        raise SweeperError(
            f"{network} does not say which classes it tells apart: it was not written by sweeper, "
            "or by an earlier version; train the recipe again"
        )
    if known.pop("format", None) != _FORMAT:
        raise SweeperError(f"{network} was written by a later version of sweeper; update it")
    return Card(**{**known, "class_names": tuple(known["class_names"])})
