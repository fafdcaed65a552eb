"""Conditions of a search space that hold, or fail, whatever the trial: decided before the first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException
from optuna.distributions import BaseDistribution

from sweeper.config import nearest
from sweeper.records import Value
from sweeper.search.space.cases import (
    ABSENT,
    Case,
    Composed,
    Fixed,
    Values,
    bare,
    below,
    look_up,
    read_values,
    resolve,
)
from sweeper.search.space.distributions import in_words, same, takes
from sweeper.search.space.entries import Entry
from sweeper.search.space.ordering import in_order
from sweeper.search.space.syntax import distribution_of, read_override, spell


class ConditionResolver:
    """Entries as far as they can be resolved before any trial.

    Attributes:
        fixed: whole overrides.
        searched: by key the cases that may hold; each parameter after those it depends on.
        faults: a sentence for each condition that cannot be meant.
    """

    def __init__(
        self,
        parser: OverridesParser,
        entries: Sequence[Entry],
        compose: Callable[[tuple[str, ...]], DictConfig],
    ) -> None:
        self.faults: list[str] = []
        self._parser = parser
        lines = tuple(entry.line for entry in entries if not entry.cases or self._is_plain(entry))
        # composed when first asked: most spaces need nothing of it
        self._config = cache(lambda: compose(lines))
        fixed = [entry for entry in entries if not entry.cases or self._is_fixed(entry)]
        searched = [entry for entry in entries if entry not in fixed]
        self.fixed = tuple(entry.line for entry in fixed)
        self._fixed = {bare(entry.key): entry for entry in fixed}
        self._searched = {bare(entry.key): entry for entry in searched}
        resolved = {entry.key: tuple(self._resolve(entry)) for entry in searched}
        try:
            self.searched = in_order(resolved)
        except ValueError as circle:
            self.searched = {}
            self.faults.append(str(circle))

    def _is_plain(self, entry: Entry) -> bool:
        """Whether Hydra itself reads the entry, ``${...}`` and all, as a value and no sweep."""
        try:
            override = read_override(self._parser, entry.line)
            return distribution_of(override) is None
        except ValueError:
            return False

    def _is_fixed(self, entry: Entry) -> bool:
        if len(entry.cases) > 1 or not entry.line or not self._is_plain(entry):
            return False
        if "${." in entry.line:  # relative to where it stands, which is not the root
            return True
        _, _, text = entry.line.partition("=")
        try:
            value = resolve(self._config(), text)
        except InterpolationToMissingValueError:  # known later, such as the number of the job
            return True
        except OmegaConfBaseException:  # the corners tell where it cannot be read
            return False
        if not (entry.in_recipe and isinstance(value, str)):
            return True
        try:  # as in hydra-optuna-sweeper, a parameter may refer to the text of a sweep
            return isinstance(read_values(self._parser, bare(entry.key), value), Fixed)
        except ValueError:
            return True

    def _resolve(self, entry: Entry) -> Iterator[Case]:
        """The cases of ``entry`` that may hold, without the conditions that always do."""
        for case in entry.cases:
            when: dict[str, tuple[Value, ...]] = {}
            possible = True
            for name, wanted in case.when.items():
                self._check_options(entry, name, wanted)
                holds = self._holds(entry, name, wanted)
                if holds is None:
                    when[name] = wanted
                possible = possible and holds is not False
            if possible:
                yield Case(when, case.values)
                if not when:
                    return

    def _holds(self, entry: Entry, name: str, wanted: Sequence[Value]) -> bool | None:
        """Whether a condition holds for good; None where that depends on the trial."""
        if name in self._searched:
            parent = self._searched[name]
            fault = _unlikely(parent.cases, wanted) if parent.in_recipe else None
            if fault:
                self.faults.append(f"{entry.key}: {name} {fault}")
            return None
        if name in self._fixed and self._fixed[name].key.startswith("~"):
            return False
        value = look_up(self._config(), name)
        if value is ABSENT:
            if any(below(name, key) for key in self._searched):
                return None
            known = {*self._searched, *self._config().hydra.runtime.choices, *self._leaves()}
            self.faults.append(
                f"{entry.key} depends on {name}, which is neither searched nor a key or group of "
                f"the configuration{nearest(name, known)}"
            )
            return False
        if isinstance(value, DictConfig):
            self.faults.append(
                f"{entry.key} depends on {name}, which is a group of keys; name one of "
                + ", ".join(f"{name}.{key!s}" for key in value)
            )
            return False
        if self._varies(name):
            return None
        return any(same(value, one) for one in wanted)

    def _varies(self, name: str) -> bool:
        """Whether trials may differ in ``name``, which is not searched."""
        if name in self._fixed:
            return "${" in self._fixed[name].line
        choices = self._config().hydra.runtime.choices
        if any(key in choices or below(name, key) for key in self._searched):
            return True
        return name not in choices and "${" in str(self._leaves().get(name, "${"))

    def _leaves(self) -> dict[str, object]:
        return dict(_flat(OmegaConf.to_container(self._config(), resolve=False)))

    def _check_options(self, entry: Entry, name: str, wanted: Sequence[Value]) -> None:
        """A group that the recipe does not search has the options that are in its folder."""
        parent = self._searched.get(name)
        loader = self._parser.config_loader
        if loader is None or (parent is not None and parent.in_recipe):
            return
        options = loader.get_group_options(name.partition("@")[0], ObjectType.CONFIG)
        for option in wanted if options else ():
            if option is not None and option not in options:
                hint = nearest(str(option), options)
                self.faults.append(
                    f"{entry.key}: the group {name} has no option {spell(option)}{hint}"
                )


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(node, Mapping):
        yield prefix, node
        return
    for key, child in node.items():
        yield from _flat(child, f"{prefix}.{key}" if prefix else str(key))


def _unlikely(cases: Iterable[Case], wanted: Iterable[Value]) -> str | None:
    """A fault when a parameter with ``cases`` never has one of the ``wanted`` values, else None."""
    choices = [case.values for case in cases]
    for value in wanted:
        if not any(_may_be(values, value) for values in choices):
            known = " or ".join(
                in_words(values) if isinstance(values, BaseDistribution) else str(values)
                for values in choices
            )
            return f"is never exactly {spell(value)}; it is {known}"
    return None


def _may_be(values: Values, value: Value) -> bool:
    if isinstance(values, Composed):
        return True
    return same(values.value, value) if isinstance(values, Fixed) else takes(values, value)
