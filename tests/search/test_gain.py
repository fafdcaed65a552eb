"""What more trials could gain: the bound itself, and when it ends a study."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from search.studies import a_study, finish

from sweeper.errors import ConfigError
from sweeper.search.gain.gain_estimate import estimated
from sweeper.search.gain.gain_watch import GainWatch
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import Stopping
from sweeper.statistics.gaussian_process import fitted
from sweeper.statistics.regret import LEAST_TRIALS, regret_bound
from sweeper.study_files.gain import Gain, read_gain, write_gain

UP, DOWN = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE


def bound(points: np.ndarray, values: np.ndarray) -> float:
    numbers = np.zeros(points.shape[1], np.bool_)
    random = np.random.default_rng(1)
    return regret_bound(points, values, numbers, lambda n: random.random((n, points.shape[1])))


def bowl(count: int, parameters: int, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    points = random.random((count, parameters))
    return points, -((points - 0.4) ** 2).sum(axis=1) + random.normal(0, noise, count)


def test_a_corner_of_the_space_that_nobody_tried_may_hold_more() -> None:
    everywhere, values = bowl(60, 2)
    slope = everywhere.sum(axis=1)
    left = everywhere * [0.5, 1.0]
    assert bound(left, left.sum(axis=1)) > 2 * bound(everywhere, slope)
    assert 0 < bound(everywhere, values) < 0.2


@given(st.floats(-100, 100), st.floats(1e-3, 1e3))
@settings(max_examples=10)
def test_it_has_the_unit_of_the_values(shift: float, scale: float) -> None:
    points, values = bowl(30, 2)
    assert bound(points, values * scale + shift) == pytest.approx(
        bound(points, values) * scale, rel=0.02
    )


def test_the_process_gives_what_it_was_fitted_to_and_is_unsure_elsewhere() -> None:
    points, values = bowl(40, 1, noise=0.0)
    values = (values - values.mean()) / values.std()
    process = fitted(points * 0.5, values, np.zeros(1, np.bool_))
    means, deviations = process.posterior(points * 0.5)
    assert np.abs(means - values).max() < 0.1
    _, far = process.posterior(np.array([[1.0]]))
    assert far[0] > 3 * deviations.max()


def test_of_categories_only_whether_they_are_the_same_counts() -> None:
    points, values = bowl(40, 2)
    points[:, 1] = np.random.default_rng(2).integers(0, 3, 40)
    values += 0.2 * (points[:, 1] == 1)
    kinds = np.array([False, True])

    def of(names: list[int]) -> float:
        renamed = points.copy()
        renamed[:, 1] = np.array(names)[points[:, 1].astype(int)]
        grid = np.stack([np.linspace(0, 1, 60), np.resize(names, 60)], axis=1)
        return regret_bound(renamed, values, kinds, lambda _count: grid)

    assert of([0, 1, 2]) == pytest.approx(of([7, 3, 5]), rel=1e-2)


distributions = {
    "rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
    "blocks": optuna.distributions.IntDistribution(1, 7, step=2),
    "kind": optuna.distributions.CategoricalDistribution(("a", "b", None)),
    "fixed": optuna.distributions.FloatDistribution(1.0, 1.0),
    "units": optuna.distributions.IntDistribution(8, 64, log=True),
}


def trials_of(count: int, value: Callable[[float], float]) -> list[FrozenTrial]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        params = {
            "rate": 10 ** random.uniform(-4, -1),
            "blocks": int(random.choice([1, 3, 5, 7])),
            "kind": ("a", "b", None)[random.integers(3)],
            "fixed": 1.0,
            "units": int(random.integers(8, 65)),
        }
        made = value(float(np.log10(params["rate"])))
        found.append(create_trial(params=params, distributions=distributions, value=made))
    return found


def test_all_kinds_of_parameters_and_both_directions_give_one_bound() -> None:
    trials = trials_of(40, lambda rate: -((rate + 2) ** 2))
    mirrored = trials_of(40, lambda rate: (rate + 2) ** 2)
    up, down = estimated(trials, [UP], 0.1), estimated(mirrored, [DOWN], 0.1)
    assert up == down
    assert (up.trials, up.error, up.why) == (40, 0.1, "")
    assert up.most is not None
    assert up.most > 0


@pytest.mark.parametrize(("count", "of_optuna"), [(20, 0.2674), (40, 0.1460), (90, 0.0162)])
def test_it_is_what_optunas_evaluator_gives(count: int, of_optuna: float) -> None:
    # RegretBoundEvaluator(seed=0) of optuna 5.0.0 with torch 2.14.1; its random points are others,
    # and it counts a parameter that has one value
    searched = distributions.keys() - {"fixed"}
    trials = [
        create_trial(
            params={key: trial.params[key] for key in searched},
            distributions={key: distributions[key] for key in searched},
            value=trial.value,
        )
        for trial in trials_of(count, lambda rate: -((rate + 2) ** 2))
    ]
    assert estimated(trials, [UP]).most == pytest.approx(of_optuna, rel=0.1)


def test_where_nobody_knows_it_says_why() -> None:
    trials = trials_of(LEAST_TRIALS, abs)
    few = estimated(trials[:-1], [UP])
    assert (few.most, few.why) == (None, "it takes 20 results, and there are 19")
    assert estimated(trials, [UP, DOWN]).why == "there are 2 objectives"
    alike = [
        create_trial(
            params={"fixed": 1.0}, distributions={"fixed": distributions["fixed"]}, value=0.5
        )
    ] * 30
    assert estimated(alike, [UP]).why == "no parameter is searched in all trials"


def test_trials_that_say_nothing_of_the_search_are_left_out() -> None:
    trials = trials_of(30, abs)
    more = [
        create_trial(state=TrialState.PRUNED, params={}, distributions={}),
        create_trial(value=np.inf, params={}, distributions={}),
        create_trial(value=9.0, user_attrs={"warm_start": "other:1"}),
        create_trial(value=9.0, system_attrs={"constraints:size": 1.0}),
    ]
    assert estimated([*trials, *more], [DOWN]) == estimated(trials, [DOWN])


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (Gain(25, 0.0123), "more trials could gain 0.012 val_accuracy at most"),
        (Gain(25, 0.02, 0.01), "at most; the best figure itself is uncertain by 0.01"),
        (Gain(25, 0.01, 0.02), "(standard error), so they would hardly be worth it"),
        (Gain(3, why="of no reason"), "what more trials could gain is not known: of no reason"),
    ],
)
def test_a_person_reads_it_in_a_sentence(gain: Gain, text: str, tmp_path: Path) -> None:
    assert text in gain.spelled("val_accuracy")
    write_gain(tmp_path / "gain.json", gain)
    assert read_gain(tmp_path / "gain.json") == gain
    assert read_gain(tmp_path / "other.json") is None


def status_of(study: optuna.Study) -> StudyStatus:
    status = StudyStatus(study, Path("study"))
    status.refresh()
    return status


def test_a_study_ends_when_too_little_is_left_to_gain_and_waits_for_no_estimate() -> None:
    study = a_study()
    watch = GainWatch(study, 0.5, lambda _summary: None)
    stopping = Stopping(None, gain=watch)
    assert not stopping.is_done(status_of(study))
    for number in range(LEAST_TRIALS):
        assert not stopping.is_done(status_of(study))
        finish(study, 0.5 + 1e-3 * number)
    watch.wait()
    stopping.is_done(status_of(study))  # the estimate is begun here, at the latest
    watch.wait()
    assert stopping.is_done(status_of(study))
    assert stopping.reason.startswith("more trials could gain 0.0")
    assert stopping.reason.endswith("at most, less than hydra.sweeper.min_gain, 0.5")
    assert not stopping.failed


def test_a_study_that_is_continued_waits_for_its_first_estimate() -> None:
    study = a_study()
    for number in range(LEAST_TRIALS):
        finish(study, 0.5 + 1e-3 * number)
    for error, done in ((1.0, True), (1e-9, False), (None, False)):
        made = GainWatch(study, "error", lambda _summary, error=error: error)  # type: ignore[misc]
        assert Stopping(None, gain=made).is_done(status_of(study)) is done


def test_min_gain_is_a_number_or_error_and_takes_one_objective() -> None:
    assert SweepSettings.read({"min_gain": "error"}).min_gain == "error"
    assert SweepSettings.read({"min_gain": 0.01, "n_trials": None}).min_gain == 0.01
    for wrong in (-1, 0, True, "eror", float("inf"), [0.1]):
        with pytest.raises(ConfigError) as raised:
            SweepSettings.read({"min_gain": wrong, "patience": 0})
        patience, gain = raised.value.faults
        assert patience.startswith("hydra.sweeper.patience must be >= 1")
        assert gain.startswith("hydra.sweeper.min_gain must be a number > 0, error or null, got")
    with pytest.raises(ConfigError, match="min_gain takes one objective"):
        SweepSettings.read({"min_gain": 0.1, "direction": ["maximize", "minimize"]})
