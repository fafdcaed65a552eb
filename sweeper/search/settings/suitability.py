"""Whether a sampler can do anything with a search space, reported before the first trial.

Optuna says it while trials run, or not at all.
"""

from collections.abc import Iterator

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
)

from sweeper.errors import ConfigError
from sweeper.search.space.distributions import enumerate_values
from sweeper.search.space.search_space import SearchSpace


def check_sampler(sampler: BaseSampler, space: SearchSpace) -> list[str]:
    """What a person should know of ``sampler`` on ``space``.

    Raises:
        ConfigError: it would try every value of a parameter that has infinitely many.
    """
    if isinstance(sampler, BruteForceSampler):
        endless = [key for key, values in _kinds(space) if enumerate_values(values) is None]
        if endless:
            raise ConfigError(
                [
                    f"{key} has infinitely many values; for bruteforce give a step: "
                    "range(start, stop, step) or choice(...)"
                    for key in dict.fromkeys(endless)
                ]
            )
    blind: list[str] = []
    if isinstance(sampler, CmaEsSampler | GPSampler | QMCSampler):
        blind += [key for key, cases in space.searched.items() if cases[0].when or len(cases) > 1]
    if isinstance(sampler, CmaEsSampler):
        blind += [
            key for key, values in _kinds(space) if isinstance(values, CategoricalDistribution)
        ]
    if not blind:
        return []
    name = type(sampler).__name__.removesuffix("Sampler")
    return [
        f"{name} cannot learn from choices and conditions; drawn at random: "
        + ", ".join(dict.fromkeys(blind))
    ]


def _kinds(space: SearchSpace) -> Iterator[tuple[str, BaseDistribution]]:
    for key, cases in space.searched.items():
        for case in cases:
            if isinstance(case.values, BaseDistribution):
                yield key, case.values
