"""Temperature scaling: logits divided by one number, so that probabilities mean what they say.

Guo et al. 2017, "On calibration of modern neural networks", section 4.2. Predicted classes stay.
"""

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from sweeper.improve.made import Made
from sweeper.improve.members import Team
from sweeper.train.winning_model import make_model

_LARGEST = 20.0
"""Temperatures are looked for between this and its inverse."""


def temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """The number by which ``[n, classes]`` logits give the least cross-entropy when divided."""
    wide = logits.astype(np.float64)

    def loss(logarithm: float) -> float:
        scaled = log_softmax(wide / np.exp(logarithm), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    bound = float(np.log(_LARGEST))
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def calibrated(team: Team) -> Made:
    """The winner with the temperature that fits the images to choose by.

    The last layer's weights are divided by it: the network stays as it is, in every format.
    """
    winner, chosen = team.winner, team.halves.choose
    value = temperature(winner.predictions.logits[chosen], team.labels[chosen])
    model = make_model(winner.recipe, len(team.class_names), winner.paths, winner.owner)
    logits: keras.layers.Dense = model.get_layer("head").get_layer("logits")
    logits.set_weights([weights / value for weights in logits.get_weights()])
    return Made(model, f"temperature {value:.3f}", 1)
