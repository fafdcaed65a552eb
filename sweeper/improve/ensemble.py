"""An ensemble: the mean of the probabilities of several trials.

Caruana et al. 2004, "Ensemble selection from libraries of models": one after the other the trial is
added, again if need be, with which the mean has the least cross-entropy on the images to choose by.
"""

from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.improve.made import Made
from sweeper.improve.members import Team
from sweeper.train.winning_model import make_model

_ROUNDS = 20
_TINY = np.finfo(np.float32).tiny


def select(
    probabilities: Sequence[NDArray[np.floating]], labels: NDArray[np.int64]
) -> Counter[int]:
    """How often each of ``probabilities`` (``[n, classes]`` each) is in the best mean."""
    of_truth = np.stack(
        [one[np.arange(len(labels)), labels].astype(np.float64) for one in probabilities]
    )
    total = np.zeros(len(labels))
    taken: list[int] = []
    best, kept = np.inf, 0
    for number in range(1, _ROUNDS + 1):
        losses = -np.log(np.maximum((total + of_truth) / number, _TINY)).mean(axis=1)
        chosen = int(losses.argmin())
        taken.append(chosen)
        total += of_truth[chosen]
        if losses[chosen] < best:
            best, kept = float(losses[chosen]), number
    return Counter(taken[:kept])


def ensemble(team: Team) -> Made | None:
    """The ensemble that fits the images to choose by; None where it is the winner alone."""
    chosen = team.halves.choose
    counts = select(
        [member.predictions.probabilities[chosen] for member in team.members], team.labels[chosen]
    )
    if [team.members[number] for number in counts] == [team.winner]:
        return None
    side = team.winner.recipe.image_size
    images = keras.Input((side, side, 3), dtype="float32", name="image")
    outputs = []
    for number, times in sorted(counts.items()):
        member = team.members[number]
        model = make_model(member.recipe, len(team.class_names), member.paths, member.owner)
        model.name = f"trial_{member.row.number}"
        outputs += [model(images)] * times
    mean = outputs[0]  # of one trial alone, another one than the winner
    if len(outputs) > 1:
        mean = keras.layers.Average(dtype="float32", name="probabilities")(outputs)
    total = counts.total()
    parts = [
        f"trial {team.members[number].row.number}" + (f" ({times} of {total})" if times > 1 else "")
        for number, times in sorted(counts.items())
    ]
    return Made(keras.Model(images, mean, name="ensemble"), ", ".join(parts), len(counts))
