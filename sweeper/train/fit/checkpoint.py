"""The state of a fine-tune after an epoch, in one file that is whole or not there."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.disk.files import open_aside
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.fit.phase_state import Epoch, PhaseState


@dataclass(frozen=True)
class Saved:
    """What a fine-tune continues from.

    Attributes:
        phase: name of the phase that was trained.
        untrained: loss and accuracy before training.
        earlier: epochs of the phases before it.
        state: where the phase stands.
    """

    phase: str
    untrained: tuple[float, float]
    earlier: Sequence[Epoch]
    state: PhaseState


def take_over(paths: TrialPaths, earlier: Iterable[Path]) -> None:
    """Move the checkpoints of an earlier attempt at the trial to its folder, unless it has some.

    Args:
        paths: of the trial.
        earlier: folders of attempts, the last one first.
    """
    for folder in earlier:
        if not paths.checkpoints:
            for checkpoint in TrialPaths(folder).checkpoints:
                own = paths.folder / "checkpoints" / checkpoint.name
                own.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.replace(own)


class Checkpoint:
    """Keeps one :class:`Saved` at ``path``; one of another stage is not read.

    Args:
        path: the file.
        keys: of each phase; see :func:`sweeper.train.fit.stages.stage_keys`.
    """

    def __init__(self, path: Path, keys: Mapping[str, str]) -> None:
        self.path = path
        self._keys = keys

    def save(self, saved: Saved) -> None:
        """Replace what was kept before."""
        state = saved.state
        plain = {
            "stage": self._keys[saved.phase],
            "phase": saved.phase,
            "untrained": saved.untrained,
            "earlier": [asdict(epoch) for epoch in saved.earlier],
            **state.plain,
        }
        groups = {"model": state.model, "kept": state.kept, "optimizer": state.optimizer}
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
            earlier, epochs = (
                tuple(Epoch(**epoch) for epoch in plain[key]) for key in ("earlier", "epochs")
            )
            loss, accuracy = plain["untrained"]
            state = PhaseState(epochs, plain["watched"], **groups)
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
            return None
        return Saved(plain["phase"], (loss, accuracy), earlier, state)
