"""Models that are made of two real trials, short and small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recipes import recipe
from scipy.special import softmax

from sweeper.improve import ensemble as ensemble_module
from sweeper.improve.ensemble import ensemble
from sweeper.improve.members import Halves, Member, Team
from sweeper.improve.soup import soup
from sweeper.improve.temperature import calibrated, temperature
from sweeper.models.inference import compiled
from sweeper.records import Owner, State, TrialRow
from sweeper.study_files.predictions import load
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.local import LocalTracker
from sweeper.train.final_test import probabilities_of
from sweeper.train.trained_weights import load_trained_weights
from sweeper.train.trial import Trial

SHORT = (
    *("+experiment=digits_lite0", "image_size=32", "batch_size=128", "dataset.fraction=0.5"),
    *("phases.frozen.epochs=1", "phases.unfrozen=null"),
)
Array = NDArray[np.floating]


def member(folder: Path, number: int, *words: str) -> Member:
    made, owner = recipe(*SHORT, *words), Owner(str(number), "study")
    paths = TrialPaths(folder)
    report = lambda *_arguments, **_keywords: None  # noqa: E731
    values = Trial(made, paths, LocalTracker(paths), report, False, owner=owner).run()
    predictions = load(paths.predictions)
    assert predictions is not None
    return Member(
        TrialRow(number, State.COMPLETE, values, 1.0, {}, folder), made, predictions, owner
    )


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    folder = tmp_path_factory.mktemp("study")
    members = [
        member(folder / "0", 0, "optimizer.learning_rate=0.01"),
        member(folder / "1", 1, "optimizer.learning_rate=0.008", "head.dropout=0.3"),
    ]
    labels = members[0].predictions.labels
    every = np.ones(len(labels), np.bool_)
    return Team("study", members[0], members, labels, Halves(every, every))


def given(team: Team, made: object) -> Array:
    return probabilities_of(compiled(made.model), team.validation())  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_calibrated_winner_has_its_logits_divided(team: Team) -> None:
    logits = team.winner.predictions.logits.astype(np.float64)
    value = temperature(logits, team.labels)
    np.testing.assert_allclose(
        given(team, calibrated(team)), softmax(logits / value, axis=1), atol=5e-3
    )


@pytest.mark.slow
def test_an_ensemble_gives_the_mean_of_its_members(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble_module, "select", lambda *_: ensemble_module.Counter({0: 2, 1: 1}))
    made = ensemble(team)
    assert made is not None
    assert made.networks == 2
    assert made.how == "trial 0 (2 of 3), trial 1"
    wanted = [one.predictions.probabilities.astype(np.float64) for one in team.members]
    np.testing.assert_allclose(given(team, made), (2 * wanted[0] + wanted[1]) / 3, atol=5e-3)


@pytest.mark.slow
def test_a_soup_has_the_mean_of_the_weights(team: Team) -> None:
    right = [_surely_right(one.predictions.probabilities, team.labels) for one in team.members]
    both = right[0] & right[1]  # on these images the mean of both heads is right as well
    made = soup(replace(team, halves=Halves(both, ~both)))
    assert made is not None
    weights = [load_trained_weights(m.paths.learned, m.recipe, m.owner) for m in team.members]
    head = made.model.get_layer("head").get_layer("logits")
    for variable, one, other in zip(head.get_weights(), *(w[-2:] for w in weights), strict=True):
        np.testing.assert_allclose(variable, (one + other) / 2, rtol=1e-5, atol=1e-7)
    assert "of trials 0, 1" in made.how


def _surely_right(probabilities: Array, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``[n]``: right by more than the rounding of what was kept in half precision."""
    second, first = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:].T
    right: NDArray[np.bool_] = (probabilities.argmax(axis=1) == labels) & (first - second > 0.02)
    return right
