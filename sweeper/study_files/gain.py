"""What more trials of a study could still gain: ``gain.json``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.disk.files import write_aside


@dataclass(frozen=True)
class Gain:
    """An estimate, made when the search of a study ended.

    Attributes:
        trials: complete ones that it was made of.
        most: by how much the best figure may become better at most, in its unit; None where nobody
            knows.
        error: standard error of the best figure, in its unit; None where nobody knows.
        why: why ``most`` is not known.
    """

    trials: int
    most: float | None = None
    error: float | None = None
    why: str = ""

    @property
    def below_error(self) -> bool:
        """Whether what could be gained is less than what the figure is uncertain by."""
        return self.most is not None and self.error is not None and self.most < self.error

    def spelled(self, name: str) -> str:
        """It in a sentence; ``name`` is that of the objective."""
        if self.most is None:
            return f"what more trials could gain is not known: {self.why}"
        text = f"more trials could gain {self.most:.2g} {name} at most"
        if self.error is None:
            return text
        text += f"; the best figure itself is uncertain by {self.error:.2g} (standard error)"
        return f"{text}, so they would hardly be worth it" if self.below_error else text


def write_gain(path: Path, gain: Gain) -> None:
    """Write it aside, then rename it to ``path``."""
    write_aside(path, f"{json.dumps(asdict(gain), indent=2)}\n")


def read_gain(path: Path) -> Gain | None:
    """What is written at ``path``, None where nothing is or it cannot be read."""
    try:
        return Gain(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
