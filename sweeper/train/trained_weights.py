"""What a trial learned, without what it began with, and whose it is: ``learned.npz``."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.config import TRAINING, Recipe
from sweeper.disk.files import open_aside
from sweeper.errors import SweeperError
from sweeper.records import Owner

_OWNER = "owner"


def save_trained_weights(
    path: Path, learned: Sequence[NDArray[Any]], recipe: Recipe, owner: Owner
) -> None:
    """Keep the weights of the last phase's unfrozen part and of the head, in their order."""
    with open_aside(path) as file:
        np.savez(file, *learned, owner=np.array(_owner_text(recipe, owner)))


def load_trained_weights(path: Path, recipe: Recipe, owner: Owner) -> list[NDArray[Any]]:
    """What :func:`save_trained_weights` kept there for the same recipe and owner.

    Raises:
        SweeperError: the file is not there, cannot be read, or was written by another run.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = str(file[_OWNER]) if _OWNER in file.files else ""
            if found == _owner_text(recipe, owner):
                return [file[name] for name in file.files if name != _OWNER]
            fault = "was written by another run"
    except FileNotFoundError:
        fault = "is gone"
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        fault = f"cannot be read ({error})"
    raise SweeperError(
        f"the weights that trial {path.parent} learned are lost: {path.name} {fault}; run the "
        "trial again, in a folder that nothing else writes to (hydra.sweeper.study_name=<name>, or "
        "hydra.run.dir=<folder> of a single fine-tune)"
    )


def _owner_text(recipe: Recipe, owner: Owner) -> str:
    return json.dumps({"recipe": recipe.only(TRAINING), **asdict(owner)})
