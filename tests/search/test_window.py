"""What a sampler is shown of a study with many trials."""

import random

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.samplers import GPSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper.search.settings import window
from sweeper.search.settings.proposals import reproducible
from sweeper.search.settings.window import Window

DIRECTIONS = {
    "one": [StudyDirection.MAXIMIZE],
    "least": [StudyDirection.MINIMIZE],
    "two": [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE],
}
SPACE = {"x": FloatDistribution(0, 1)}
LATEST = dict.fromkeys(range(22, 30), 0.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "SEEN", 12)
    monkeypatch.setattr(window, "BEST", 4)


def trial_of(number: int, state: TrialState, values: list[float]) -> FrozenTrial:
    trial = create_trial(
        state=state, values=values if state is TrialState.COMPLETE else None, params={}
    )
    trial.number = number
    return trial


@pytest.mark.parametrize("directions", DIRECTIONS.values(), ids=DIRECTIONS)
@given(data=st.data())
def test_a_window_is_the_same_however_often_it_was_looked_at(
    directions: list[StudyDirection], data: st.DataObject
) -> None:
    count = data.draw(st.integers(13, 30))
    value = st.integers(0, 5).map(float)  # so that there are equal ones
    ends = [
        data.draw(st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]))
        for _ in range(count)
    ]
    values = [[data.draw(value) for _ in directions] for _ in range(count)]
    trials = [trial_of(number, TrialState.RUNNING, []) for number in range(count)]
    looks = Window(directions)
    for number in data.draw(st.permutations(range(count))):
        trials[number] = trial_of(number, ends[number], values[number])
        if data.draw(st.booleans()):
            shown = looks.of(trials)
            assert shown == Window(directions).of(trials)
            assert all(trial in shown for trial in trials if trial.state is TrialState.RUNNING)
            ended = [trial for trial in trials if trial.state.is_finished()]
            assert all(trial in shown for trial in ended[-8:])
            complete = [trial for trial in ended if trial.state is TrialState.COMPLETE]
            if complete and len(directions) == 1:
                best = max if directions[0] is StudyDirection.MAXIMIZE else min
                assert best(complete, key=lambda trial: trial.values[0]) in shown
                assert sum(trial.state.is_finished() for trial in shown) <= 12


def proposed(sampler: type, objectives: int, changed: dict[int, float]) -> float:
    """What is proposed after 30 trials, of which some had other parameters."""
    draw = random.Random(3)
    study = optuna.create_study(
        directions=["maximize"] * objectives,
        sampler=reproducible(sampler, 1)(seed=1, n_startup_trials=5),
    )
    for number in range(30):
        x = draw.random()
        value = 2.0 if number == 1 else x
        study.add_trial(
            create_trial(
                params={"x": changed.get(number, x)},
                distributions=SPACE,
                values=[value] * objectives,
            )
        )
    return float(study.ask(SPACE).params["x"])


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("sampler", "objectives"), [(TPESampler, 1), (TPESampler, 2)])
def test_proposals_follow_from_the_best_and_the_latest(sampler: type, objectives: int) -> None:
    undisturbed = proposed(sampler, objectives, {})
    assert proposed(sampler, objectives, {0: 0.0}) == undisturbed  # old, and among the worse ones
    assert proposed(sampler, objectives, {1: 0.0}) != undisturbed  # the best
    assert proposed(sampler, objectives, LATEST) != undisturbed


def test_a_gaussian_process_is_shown_the_window() -> None:
    pytest.importorskip("torch")
    undisturbed = proposed(GPSampler, 1, {})
    assert proposed(GPSampler, 1, {0: 0.0}) == undisturbed
    assert proposed(GPSampler, 1, LATEST) != undisturbed
