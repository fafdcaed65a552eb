"""The state of a fine-tune after an epoch, in one file that is whole or not there."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.files import open_aside

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Saved:
    """What a fine-tune continues from.

    Attributes:
        phase: name of the phase that was trained.
        epochs: epochs of all phases so far, as plain data.
        state: of what watches the phase, by name.
        model: the phase's variables, as training left them.
        kept: the weights that the phase would end with.
        optimizer: variables of the optimizer.
    """

    phase: str
    epochs: Sequence[Mapping[str, Any]]
    state: Mapping[str, Any]
    model: Arrays
    kept: Arrays
    optimizer: Arrays


class Checkpoint:
    """Keeps one :class:`Saved` at ``path``; one of another stage is not read.

    Args:
        path: the file.
        keys: of each phase; see :func:`sweeper.train.stages.stage_keys`.
    """

    def __init__(self, path: Path, keys: Mapping[str, str]) -> None:
        self.path = path
        self._keys = keys

    def save(self, saved: Saved) -> None:
        """Replace what was kept before."""
        plain = {
            "stage": self._keys[saved.phase],
            "phase": saved.phase,
            "epochs": saved.epochs,
            "state": saved.state,
        }
        groups = {"model": saved.model, "kept": saved.kept, "optimizer": saved.optimizer}
        arrays: dict[str, Any] = {
            f"{key}.{i}": one for key, group in groups.items() for i, one in enumerate(group)
        }
        with open_aside(self.path) as file:
            np.savez(file, plain=np.array(json.dumps(plain)), **arrays)

    def load(self) -> Saved | None:
        """What was saved last, or None: nothing was, or it cannot be used."""
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                plain = json.loads(str(file["plain"]))
                if plain["stage"] != self._keys.get(plain["phase"]):
                    return None
                groups = {
                    key: [
                        file[f"{key}.{i}"]
                        for i in range(sum(name.startswith(f"{key}.") for name in file.files))
                    ]
                    for key in ("model", "kept", "optimizer")
                }
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return Saved(plain["phase"], plain["epochs"], plain["state"], **groups)
