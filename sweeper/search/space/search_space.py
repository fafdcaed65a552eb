"""The search space: what Optuna is asked for each trial, and the overrides that come of it.

``syntax.py`` says how values are written, ``cases.py`` how conditions are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.trial import BaseTrial

from sweeper.config import nearest
from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.cases import (
    Case,
    Composed,
    Fixed,
    bare,
    look_up,
    needs,
    read_values,
    resolve,
)
from sweeper.search.space.conditions import Settlement
from sweeper.search.space.corners import Survey, survey
from sweeper.search.space.distributions import cast, enumerate_values, same, suggest
from sweeper.search.space.entries import read_entries
from sweeper.search.space.syntax import read_override, spell, value_of

Compose = Callable[[tuple[str, ...]], DictConfig]
"""From a whole list of overrides to a composed Hydra configuration (with ``hydra``); ConfigError if
it fails."""


@dataclass(frozen=True)
class SearchSpace:
    """What is searched (the cases of each override key) and what is fixed (whole overrides).

    ``searched`` is in an order in which each parameter comes after those it depends on.
    """

    searched: Mapping[str, tuple[Case, ...]]
    fixed: tuple[str, ...]
    compose: Compose = field(repr=False, compare=False)
    parser: OverridesParser = field(repr=False, compare=False)

    @cached_property
    def conditional(self) -> bool:
        """Whether a parameter has a condition, or values read from the composed configuration."""
        return any(
            case.when or isinstance(case.values, Composed)
            for cases in self.searched.values()
            for case in cases
        )

    @cached_property
    def fixed_values(self) -> Mapping[str, Value]:
        """What is fixed, by key; a value with ``${...}`` as it is written."""
        written = [line.partition("=") for line in self.fixed if not line.startswith("~")]
        return {
            key: text if "${" in text else value_of(read_override(self.parser, f"{key}={text}"))
            for key, _, text in written
        }

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The searched keys by the name that conditions use, which is without ``+``."""
        return {bare(key): key for key in self.searched}

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """For each key all those that it depends on, however far up."""
        found: dict[str, frozenset[str]] = {}
        for key, cases in self.searched.items():
            parents = {name for case in cases for name in needs(key, case, self.searched)}
            found[key] = frozenset(parents).union(*(found[parent] for parent in parents))
        return found

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

    def case(
        self, key: str, params: Mapping[str, Value]
    ) -> tuple[int, BaseDistribution | Fixed | None]:
        """Number and values of the case of ``key`` that holds beside ``params``, or -1 and None.

        Raises:
            ConfigError: its text cannot be read.
        """
        first = self.searched[key][0]
        if not first.when and not isinstance(first.values, Composed):  # nearly always
            return 0, first.values
        composed = cache(lambda: self.compose(self.overrides(params)))
        for number, case in enumerate(self.searched[key]):
            if self._holds(case, params, composed):
                if isinstance(case.values, Composed):
                    return number, self._read(key, case.values, params, composed())
                return number, case.values
        return -1, None

    def _holds(
        self, case: Case, params: Mapping[str, Value], composed: Callable[[], DictConfig]
    ) -> bool:
        for name, wanted in case.when.items():
            if name not in self.names:
                value = look_up(composed(), name)
            elif self.names[name] in params:
                value = params[self.names[name]]
            else:
                return False
            if not any(same(value, one) for one in wanted):
                return False
        return True

    def _read(
        self, key: str, written: Composed, params: Mapping[str, Value], config: DictConfig
    ) -> BaseDistribution | Fixed:
        try:
            values = read_values(self.parser, bare(key), resolve(config, written.text))
        except (OmegaConfBaseException, ValueError) as error:
            reason = str(error).splitlines()[0]
            beside = ", ".join(f"{name}={spell(value)}" for name, value in params.items())
            raise ConfigError(
                [f"{key}: {written.text!r} cannot be read beside [{beside}]: {reason}"]
            ) from None
        return Fixed(values.text) if isinstance(values, Composed) else values

    def overrides(self, params: Mapping[str, Value]) -> tuple[str, ...]:
        """Command line of the trial with ``params``."""
        return (*self.fixed, *(f"{key}={spell(value)}" for key, value in params.items()))

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
                values = self._read(key, values, known, self.compose(self.overrides(known)))
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
    settlement = Settlement(parser, read_entries(parser, params, arguments), compose)
    if settlement.faults:
        raise ConfigError(settlement.faults)
    space = SearchSpace(settlement.searched, settlement.fixed, compose, parser)
    if space.conditional:
        space.corners()  # raises what is wrong with texts and cases
    return space
