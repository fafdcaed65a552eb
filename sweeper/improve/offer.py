"""Models that are offered beside a study's winner: made, judged, tested once, and written."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.improve.ensemble import ensemble
from sweeper.improve.made import Gain, Made, gain
from sweeper.improve.members import Team
from sweeper.improve.soup import soup
from sweeper.improve.temperature import calibrated
from sweeper.models.inference import compiled
from sweeper.saved.card import NETWORK
from sweeper.study_files.study_paths import StudyPaths
from sweeper.train.cost import milliseconds_per_image
from sweeper.train.final_test import probabilities_of
from sweeper.train.winning_model import card_of, make_model, write_model

KINDS: Mapping[str, Callable[[Team], Made | None]] = {
    "calibrated": calibrated,
    "ensemble": ensemble,
    "soup": soup,
}
"""Everything that can be made; None where a study has nothing to make it of."""


@dataclass(frozen=True, eq=False)
class Offer:
    """A model beside the winner.

    Attributes:
        kind: of :data:`KINDS`.
        made: the model, and what it is made of.
        network: its file.
        judged: on the half of the validation images that it was not chosen by.
        tested: on the test images, None where there are none.
        milliseconds: a prediction of the winner, and of the model, for each image of a batch.
    """

    kind: str
    made: Made
    network: Path
    judged: Gain
    tested: Gain | None
    milliseconds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network gives for the images of a team."""

    validation: NDArray[np.float32]
    test: NDArray[np.float32] | None
    milliseconds: float


class Offers:
    """Makes models of the trials of ``team``, in the folder of its study."""

    def __init__(self, team: Team, paths: StudyPaths) -> None:
        self.team = team
        self._paths = paths

    def make(self, kind: str) -> Offer | None:
        """The model of that kind, None where the study has nothing to make it of."""
        team = self.team
        made = KINDS[kind](team)
        if made is None:
            return None
        seen, winner, judge = self._see(made), self._winner, team.halves.judge
        judged = gain(winner.validation[judge], seen.validation[judge], team.labels[judge])
        tested = None
        if seen.test is not None and winner.test is not None and team.source.test is not None:
            tested = gain(winner.test, seen.test, team.source.test.labels)
        network = self._paths.derived(kind) / NETWORK
        network.parent.mkdir(parents=True, exist_ok=True)
        origin = {"made": f"{kind}: {made.how}", "study": team.study}
        card = card_of(
            team.winner.recipe, team.source, team.winner.owner, _metrics(judged, tested), origin
        )
        write_model(made.model, card, network)
        return Offer(kind, made, network, judged, tested, (winner.milliseconds, seen.milliseconds))

    @cached_property
    def _winner(self) -> Seen:
        team, winner = self.team, self.team.winner
        model = make_model(winner.recipe, len(team.class_names), winner.paths, winner.owner)
        return self._see(Made(model, "the winner", 1))

    def _see(self, made: Made) -> Seen:
        predict, validation, test = compiled(made.model), self.team.validation(), self.team.test()
        return Seen(
            probabilities_of(predict, validation),
            None if test is None else probabilities_of(predict, test),
            milliseconds_per_image(predict, validation),
        )


def _metrics(judged: Gain, tested: Gain | None) -> dict[str, float]:
    """What the card says: of the half that judged, and of the test images."""
    found = {f"model_val_{name}": figure.value for name, figure in judged.after.items()}
    if tested is not None:
        found |= {f"test_{name}": figure.value for name, figure in tested.after.items()}
        accuracy = asdict(tested.after["accuracy"])
        found |= {f"test_accuracy_{end}": accuracy[end] for end in ("low", "high")}
        found["test_images"] = float(tested.comparison.images)
    return found
