"""A seeded study that is killed and resumed proposes what an undisturbed one does."""

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from sweeper.search.attributes import FOLDER, REASON, RETRY_OF
from sweeper.search.queue import enqueue_next, requeue_interrupted
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS
from sweeper.search.settings.proposals import Proposals
from sweeper.search.settings.samplers import build_pruner, build_sampler
from sweeper.search.stores.exclusive import Store
from sweeper.search.study import Study, open_study

Suggest = Callable[[optuna.Trial], None]
GRID: dict[str, list[Any]] = {"n": [1, 2, 3, 4], "kind": ["a", "b", "c"]}
NEEDS = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}
STEPS = 9
EARLY = {
    "tpe": {"n_startup_trials": 3},
    "gp": {"n_startup_trials": 3},
    "cmaes": {"popsize": 4},
    "nsgaii": {"population_size": 3},
    "nsgaiii": {"population_size": 3},
}
"""So that what a sampler does after its random start is reached soon."""


class Killed(Exception):
    """The controller dies here."""


def suggest_discrete(trial: optuna.Trial) -> None:
    trial.suggest_int("n", 1, 4)
    trial.suggest_categorical("kind", ["a", "b", "c"])


def suggest_numbers(trial: optuna.Trial) -> None:
    trial.suggest_float("x", 0, 1)
    trial.suggest_float("rate", 1e-5, 1, log=True)
    trial.suggest_int("n", 1, 4)


def suggest_all(trial: optuna.Trial) -> None:
    trial.suggest_float("x", 0, 1)
    if trial.suggest_categorical("kind", ["a", "b"]) == "a":
        trial.suggest_int("n", 1, 4)


class Controllers:
    """One study under controllers, each of which is killed at its moment."""

    def __init__(self, suggest: Suggest, pruner: str = "nop", **sampler: Any) -> None:
        self._sampler = sampler
        self._pruner = {**PRUNERS[pruner], **({"patience": 1} if pruner == "patient" else {})}
        self._suggest = suggest
        self.store = Store(InMemoryStorage())

    def _study(self) -> Study:
        sampler = build_sampler(self._sampler, lambda: GRID)
        return open_study("one", self.store, ("minimize",), sampler, build_pruner(self._pruner))

    def run(
        self, n_trials: int, moment: int = 10**6, points: tuple[dict[str, Any], ...] = ()
    ) -> None:
        """Run trials until there are ``n_trials``, or die at a moment."""
        moments = iter(range(moment))

        def live() -> None:
            if next(moments, None) is None:
                raise Killed

        study, left = self._study(), list(points)
        requeue_interrupted(study, dead=True)
        with contextlib.suppress(Killed):
            while not study.exhausted and len(self.ended) < n_trials:
                enqueue_next(study, left)
                self._one(study, live)

    def _one(self, study: Study, live: Callable[[], None]) -> None:
        live()
        trial = study.ask()
        live()
        self._suggest(_Mortal(trial, live))  # type: ignore[arg-type]
        live()
        trial.set_user_attr(FOLDER, "somewhere")
        p = trial.params
        value = p.get("x", 0.5) + 0.1 * p.get("n", 2) + p.get("rate", 0) + (p.get("kind") == "b")
        for step in range(STEPS):
            trial.report(value + 1 / (step + 1), step)
            live()
            if trial.should_prune():
                trial.set_user_attr(REASON, "worse")
                study.tell(trial, state=TrialState.PRUNED)
                return
        study.tell(trial, value)

    @property
    def ended(self) -> list[FrozenTrial]:
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return optuna.load_study(study_name="one", storage=self.store.storage).get_trials(
            states=states
        )

    def outcome(self) -> list[tuple[Any, ...]]:
        return [(t.params, t.state, t.last_step, t.values) for t in self.ended]


class _Mortal:
    """A trial whose controller may die between two suggestions."""

    def __init__(self, trial: optuna.Trial, live: Callable[[], None]) -> None:
        self._trial, self._live = trial, live

    def __getattr__(self, name: str) -> Any:
        self._live()
        return getattr(self._trial, name)


def needed(name: str) -> Any:
    absent = [package for package in NEEDS.get(name, ()) if find_spec(package) is None]
    return pytest.param(name, marks=pytest.mark.skipif(bool(absent), reason=f"needs {absent}"))


def config(name: str, **keywords: Any) -> dict[str, Any]:
    return {**SAMPLERS[name], **EARLY.get(name, {}), "seed": 7, **keywords}


def spaces(name: str) -> Suggest:
    if name in ("grid", "bruteforce"):
        return suggest_discrete
    return suggest_numbers if name in ("cmaes", "qmc", "gp") else suggest_all


def check(make: Callable[[], Controllers], n_trials: int, moments: Iterator[int]) -> None:
    undisturbed = make()
    undisturbed.run(n_trials)
    disturbed = make()
    for moment in moments:
        disturbed.run(n_trials, moment)
    disturbed.run(n_trials)
    assert disturbed.outcome() == undisturbed.outcome()


@pytest.mark.parametrize("name", [needed(name) for name in SAMPLERS])
def test_killed_at_any_moment_it_proposes_the_same(name: str) -> None:
    def make() -> Controllers:
        return Controllers(spaces(name), **config(name))

    n_trials = 6 if name == "gp" else 9
    for moments in ([1], [2, 2], [3, 3], [4, 17, 17], [30, 30, 4], [61]):
        check(make, n_trials, iter(moments))


@pytest.mark.parametrize("keywords", [{"use_separable_cma": True}, {"with_margin": True}])
def test_every_kind_of_cmaes_proposes_the_same(keywords: dict[str, bool]) -> None:
    pytest.importorskip("cmaes")
    check(
        lambda: Controllers(suggest_numbers, **config("cmaes", **keywords)),
        12,
        iter([3, 16, 30]),
    )


@pytest.mark.parametrize("pruner", PRUNERS)
def test_pruners_and_their_brackets_stay_the_same(pruner: str) -> None:
    if pruner == "threshold":
        pytest.skip("looks at one trial only, and needs a limit")
    check(lambda: Controllers(suggest_all, pruner, **config("tpe")), 14, iter([5, 13, 9, 2, 1, 40]))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["tpe", "random", "qmc", "grid", "bruteforce", "nsgaii"]),
    st.sampled_from(["nop", "hyperband", "successive_halving"]),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_whatever_the_moments_proposals_are_the_same(
    name: str, pruner: str, moments: list[int]
) -> None:
    check(lambda: Controllers(spaces(name), pruner, **config(name)), 8, iter(moments))


def test_what_a_sampler_has_nested_draws_from_the_same_seed() -> None:
    nested = config("qmc", independent_sampler="tpe")
    check(lambda: Controllers(suggest_all, **nested), 8, iter([3, 20]))


def test_starting_points_are_counted_too() -> None:
    def outcome(*moments: int) -> list[tuple[Any, ...]]:
        controllers, points = Controllers(suggest_all, **config("random")), ({"x": 0.5},)
        for moment in (*moments, 10**6):
            controllers.run(5, moment, points)
        return controllers.outcome()

    assert outcome() == outcome(1) == outcome(3, 14)
    assert outcome()[0][0]["x"] == 0.5


def test_other_seeds_propose_otherwise_and_no_seed_anew() -> None:
    def first(**keywords: Any) -> list[Any]:
        controllers = Controllers(suggest_numbers, **SAMPLERS["random"] | keywords)
        controllers.run(2)
        return [trial.params["x"] for trial in controllers.ended]

    assert first(seed=1) == first(seed=1)
    # a seed that is one higher is not the same study one trial later
    assert not set(first(seed=1)) & set(first(seed=2))
    assert first() != first()


def test_proposals_are_counted_without_what_is_tried_again() -> None:
    study = optuna.create_study(storage=storage())
    proposals = Proposals()
    for earlier in (None, None, 1, None, 2, 3):
        attributes = {} if earlier is None else {RETRY_OF: earlier}
        study.add_trial(optuna.create_trial(value=1.0, user_attrs=attributes))
        proposals.add(study.trials)
    assert proposals.numbers == [0, 1, 1, 2, 1, 2]
    assert proposals.replaced == {1, 2, 3}
    at_once = Proposals()
    at_once.add(study.trials)
    assert at_once == proposals


def storage() -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return InMemoryStorage()
