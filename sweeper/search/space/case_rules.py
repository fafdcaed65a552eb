"""Which case of each searched parameter holds, beside the values of the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution

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
from sweeper.search.space.distributions import same
from sweeper.search.space.syntax import read_override, spell, value_of

Compose = Callable[[tuple[str, ...]], DictConfig]
"""From a whole list of overrides to a composed Hydra configuration (with ``hydra``); ConfigError if
it fails."""


@dataclass(frozen=True)
class CaseRules:
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
                    return number, self.read(key, case.values, params, composed())
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

    def read(
        self, key: str, written: Composed, params: Mapping[str, Value], config: DictConfig
    ) -> BaseDistribution | Fixed:
        """The values of ``key`` that ``written`` is in ``config``, composed beside ``params``.

        Raises:
            ConfigError: the text cannot be read there.
        """
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
