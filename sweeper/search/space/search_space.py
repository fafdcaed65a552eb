"""The search space: what Optuna is asked for each trial, and the overrides that come of it.

``syntax.py`` says how values are written, ``cases.py`` how conditions are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.trial import BaseTrial

from sweeper.config import nearest
from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.case_rules import CaseRules, Compose
from sweeper.search.space.cases import (
    Composed,
    Fixed,
    bare,
    needs,
)
from sweeper.search.space.conditions import ConditionResolver
from sweeper.search.space.corners import Survey, survey
from sweeper.search.space.distributions import cast, enumerate_values, same, suggest
from sweeper.search.space.entries import read_entries


@dataclass(frozen=True)
class SearchSpace(CaseRules):
    """All that a study asks of what is searched and what is fixed."""

    def suggest(self, trial: BaseTrial) -> dict[str, Value]:
        """Values for one trial, asked of Optuna one by one.

        Raises:
            ConfigError: a text with ``${...}`` cannot be read beside the values before it.
        """
        params: dict[str, Value] = {}
        for key in self.searched:
            _, values = self.case(key, params)
            if isinstance(values, Fixed):
                params[key] = values.value
            elif values is not None:
                params[key] = suggest(trial, key, values)
        return params

    def corners(self) -> Iterator[dict[str, Value]]:
        """Parameter sets that between them hold each choice and both ends of each case once.

        A recipe that composes at its corners will hardly fail in between, so all of them can be
        checked before the first trial.
        """
        return iter(self._survey.corners)

    @cached_property
    def _survey(self) -> Survey:
        return survey(self)

    def accepts(self, key: str, distribution: BaseDistribution) -> bool:
        """Whether Optuna may keep ``distribution`` too under ``key``, as of another study."""
        known = self._survey.kinds.get(key)
        if known is None:
            return False
        try:
            check_distribution_compatibility(known, distribution)
        except ValueError:
            return False
        return True

    def describe(self) -> dict[str, str]:
        """Each parameter with its conditions, by key without ``+``: the same text another day."""
        return {
            bare(key): "; ".join(str(case) for case in cases)
            for key, cases in self.searched.items()
        }

    def in_words(self) -> dict[str, str]:
        """The same for a person to read."""
        return {
            bare(key): "; ".join(case.in_words() for case in cases)
            for key, cases in self.searched.items()
        }

    def grid(self) -> dict[str, list[Value]]:
        """Every value of every parameter, as ``optuna.samplers.GridSampler`` takes them.

        Raises:
            ConfigError: naming each parameter that has no step, or depends on others.
        """
        faults: list[str] = []
        values: dict[str, list[Value]] = {}
        for key, cases in self.searched.items():
            kinds = [case.values for case in cases if not isinstance(case.values, Fixed)]
            if not kinds:
                continue
            if len(cases) > 1 or cases[0].when or not isinstance(kinds[0], BaseDistribution):
                faults.append(
                    f"{key} depends on others, which a grid does not know; "
                    "hydra/sweeper/sampler=bruteforce tries every valid combination"
                )
                continue
            every = enumerate_values(kinds[0])
            if every is None:
                faults.append(
                    f"{key} has infinitely many values; for a grid give a step: "
                    "range(start, stop, step) or choice(...)"
                )
                continue
            values[key] = list(every)
        if faults:
            raise ConfigError(faults)
        return values

    def check(self, params: Mapping[str, Any], where: str) -> tuple[dict[str, Value], list[str]]:
        """A starting point that a person wrote, in the types of the space, and what is wrong.

        A parameter with several cases may have the values of each. ``where`` begins each fault,
        for example ``hydra.sweeper.enqueue[0]``.
        """
        faults: list[str] = []
        given: dict[str, object] = {}
        fixed = {bare(line.partition("=")[0]): line for line in self.fixed}
        for written, value in params.items():
            name = bare(written)
            if name in self.names:
                given[self.names[name]] = value
            elif name in fixed:
                faults.append(f"{where}: {written} is not searched, it is fixed: {fixed[name]}")
            else:
                faults.append(f"{where}: {written} is not searched{nearest(name, self.names)}")
        values: dict[str, Value] = {}
        for key in self.searched:
            if key in given:
                try:
                    values[key] = self._cast(key, given[key], values)
                except ConfigError as error:
                    faults += [f"{where}: {fault}" for fault in error.faults]
        return values, faults

    def _cast(self, key: str, value: object, known: Mapping[str, Value]) -> Value:
        faults: list[str] = []
        undecided = False
        for case in self.searched[key]:
            values = case.values
            if isinstance(values, Composed):
                if not needs(key, case, self.searched) <= known.keys():
                    undecided = True  # Optuna is yet to choose what decides this
                    continue
                values = self.read(key, values, known, self.compose(self.overrides(known)))
            try:
                if not isinstance(values, Fixed):
                    return cast(values, value)
                if same(values.value, value):
                    return values.value
                faults.append(f"{key} must be {values}, got {value!r}")
            except ValueError as error:
                faults.append(f"{key} {error}")
        if undecided and (value is None or isinstance(value, bool | int | float | str)):
            return value
        raise ConfigError(faults or [f"{key} must be a plain value, got {value!r}"])


def parse_space(
    parser: OverridesParser,
    params: Mapping[str, Any],
    arguments: Sequence[str],
    compose: Compose,
) -> SearchSpace:
    """Read ``hydra.sweeper.params`` (not resolved) and the command line, which wins.

    Raises:
        ConfigError: naming every entry that cannot be read, and every condition that cannot be.
    """
    resolver = ConditionResolver(parser, read_entries(parser, params, arguments), compose)
    if resolver.faults:
        raise ConfigError(resolver.faults)
    space = SearchSpace(resolver.searched, resolver.fixed, compose, parser)
    if space.conditional:
        space.corners()  # raises what is wrong with texts and cases
    return space
