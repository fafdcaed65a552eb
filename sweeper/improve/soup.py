"""A soup: the mean of the weights of trials that began from the same network.

Wortsman et al. 2022, "Model soups". The uniform one takes all; the greedy one adds one trial
after the other, the best first, and keeps each with which the images to choose by are classified no
worse.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.config import Head
from sweeper.improve.made import Made
from sweeper.improve.members import Member, Team
from sweeper.models.inference import compiled
from sweeper.train.building import weights_version
from sweeper.train.final_test import probabilities_of
from sweeper.train.fit.stages import planned
from sweeper.train.trained_weights import load_trained_weights
from sweeper.train.winning_model import untrained_model

Weights = Sequence[NDArray[Any]]


def soup(team: Team) -> Made | None:
    """The better of both soups.

    None where no two trials have weights of one shape, or where the winner alone classifies more of
    the images to choose by.
    """
    members = [one for one in team.members if _mixes(one, team.winner)]
    weights = [load_trained_weights(one.paths.learned, one.recipe, one.owner) for one in members]
    if len(members) < 2:
        return None
    recipe, images = team.winner.recipe, team.validation()
    variables, model = untrained_model(recipe, len(team.class_names))
    predict = compiled(model)
    chosen, labels = team.halves.choose, team.labels

    def judged(taken: Sequence[int]) -> tuple[float, float]:
        """Accuracy, then the negative cross-entropy, on the images to choose by."""
        _assign(variables, _mean([weights[number] for number in taken]))
        found = probabilities_of(predict, images)[chosen].astype(np.float64)
        of_truth = found[np.arange(int(chosen.sum())), labels[chosen]]
        right = found.argmax(axis=1) == labels[chosen]
        return float(right.mean()), float(np.log(np.maximum(of_truth, 1e-30)).mean())

    greedy, best = [0], judged([0])
    for number in range(1, len(members)):
        value = judged([*greedy, number])
        if value[0] >= best[0]:
            greedy, best = [*greedy, number], value
    everyone = list(range(len(members)))
    uniform = judged(everyone) > best
    taken = everyone if uniform else greedy
    if len(taken) == 1:
        return None
    _assign(variables, _mean([weights[number] for number in taken]))
    numbers = ", ".join(str(members[number].row.number) for number in taken)
    return Made(model, f"{'uniform' if uniform else 'greedy'}, of trials {numbers}", 1)


def _mixes(one: Member, winner: Member) -> bool:
    """Whether weights of both can be averaged: of one cut of one network, with one head."""
    return (
        one.recipe.backbone == winner.recipe.backbone
        and _shape(one) == _shape(winner)
        and planned(one.recipe)[-1].freeze == planned(winner.recipe)[-1].freeze
        and weights_version(one.recipe) == weights_version(winner.recipe)
        and one.recipe.seed == winner.recipe.seed  # a head begins from numbers of its seed
    )


def _shape(member: Member) -> Head:
    """The head without what changes its training alone."""
    return member.recipe.head.model_copy(update={"dropout": 0.0, "l2": 0.0})


def _mean(several: Sequence[Weights]) -> Weights:
    return [
        np.mean(together, axis=0, dtype=np.float64).astype(together[0].dtype)
        for together in zip(*several, strict=True)
    ]


def _assign(variables: Sequence[Any], weights: Weights) -> None:
    for variable, value in zip(variables, weights, strict=True):
        variable.assign(value)
