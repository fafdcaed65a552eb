"""The corners of a search space: few parameter sets that show nearly all it can do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    check_distribution_compatibility,
)

from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.case_rules import CaseRules
from sweeper.search.space.cases import Composed, Fixed, bare
from sweeper.search.space.distributions import cast, ends, enumerate_values, in_words, same, takes

Corner = dict[str, Value]
_Case = tuple[int, str]
"""Number of a case, and what its values are in one composition."""


@dataclass(frozen=True)
class Survey:
    """Few parameter sets, and a distribution of each key that was met on the way.

    Between them ``corners`` hold each choice and both ends of each case, of each way in which its
    bounds compose, at least once. Every case that some parameter set reaches is in one of them,
    with the values that conditions name. Without conditions there are as many as the longest
    parameter has choices.
    """

    corners: tuple[Corner, ...]
    kinds: Mapping[str, BaseDistribution]


def survey(space: CaseRules) -> Survey:
    """Walk to the corners of ``space``.

    Raises:
        ConfigError: with every text that could not be read on the way, and every parameter whose
            cases Optuna cannot keep under one name.
    """
    # different ways lead to one composition
    walk = _Walk(replace(space, compose=cache(space.compose)))
    corners = tuple(walk.rows())
    if walk.faults:
        raise ConfigError(walk.faults)
    return Survey(corners, walk.kinds)


class _Walk:
    def __init__(self, space: CaseRules) -> None:
        self.faults: list[str] = []
        self.kinds: dict[str, BaseDistribution] = {}
        self._space = space
        self._tried: set[tuple[str, _Case, str]] = set()
        named: dict[str, list[Value]] = {}
        for cases in space.searched.values():
            for case in cases:
                for name, wanted in case.when.items():
                    named.setdefault(name, []).extend(wanted)
        self._named = {key: named.get(name, []) for name, key in space.names.items()}

    def rows(self) -> Iterator[Corner]:
        yield self._complete({})
        for key, cases in self._space.searched.items():
            for number in range(len(cases)):
                while (
                    self._is_left(key, number) and (start := self._reach(key, number)) is not None
                ):
                    before = len(self._tried)
                    row = self._complete(start)
                    if len(self._tried) == before:
                        break
                    yield row

    def _reach(self, key: str, number: int) -> Corner | None:
        """Values for what ``key`` depends on that lead to an untried value of its case."""
        line = [parent for parent in self._space.searched if parent in self._space.ancestors[key]]
        when = self._space.searched[key][number].when

        def descend(depth: int, params: Corner) -> Corner | None:
            if depth == len(line):
                found, values = self._values(key, params)
                new = any(not self._is_tried(key, found, value) for value in values)
                return params if found[0] == number and new else None
            parent = line[depth]
            case, values = self._values(parent, params)
            wanted = when.get(bare(parent))
            if wanted is not None:
                values = [value for value in values if any(same(value, one) for one in wanted)]
            elif not values:
                return descend(depth + 1, params)
            # untried values first: a row should show as much that is new as it can
            for value in sorted(values, key=lambda value: self._is_tried(parent, case, value)):
                reached = descend(depth + 1, params | {parent: value})
                if reached is not None:
                    return reached
            return None

        return descend(0, {})

    def _complete(self, start: Corner) -> Corner:
        row: Corner = {}
        for key in self._space.searched:
            case, values = self._values(key, row)
            if not values:
                continue
            new = [value for value in values if not self._is_tried(key, case, value)]
            row[key] = start[key] if key in start else (new or values[-1:])[0]
            self._tried.add((key, case, repr(row[key])))
        return row

    def _is_left(self, key: str, number: int) -> bool:
        """Whether the case still has a value to try, as far as can be known without composing."""
        values = self._space.searched[key][number].values
        if isinstance(values, Composed):
            return True
        case = (number, str(values))
        return any(
            not self._is_tried(key, case, value) for value in self._worth_trying(key, values)
        )

    def _is_tried(self, key: str, case: _Case, value: Value) -> bool:
        return (key, case, repr(value)) in self._tried

    def _values(self, key: str, params: Corner) -> tuple[_Case, list[Value]]:
        """The case of ``key`` that holds beside ``params``, and what is worth trying of it."""
        try:
            number, values = self._space.case(key, params)
        except ConfigError as error:
            self.faults += error.faults
            return (-1, ""), []
        if values is None:
            return (-1, ""), []
        if not isinstance(values, Fixed):
            self._compare(key, values)
        return (number, str(values)), self._worth_trying(key, values)

    def _compare(self, key: str, distribution: BaseDistribution) -> None:
        known = self.kinds.setdefault(key, distribution)
        try:
            check_distribution_compatibility(known, distribution)
        except ValueError:
            self.faults.append(
                f"{key} is {in_words(known)} in one case and {in_words(distribution)} in another; "
                "Optuna keeps one kind of values for a name: the same choices, or whole numbers, "
                "or numbers, on the same scale"
            )

    def _worth_trying(self, key: str, values: BaseDistribution | Fixed) -> list[Value]:
        """Ends, values that conditions name, and one that none names; the highest is the last."""
        if isinstance(values, Fixed):
            return [values.value]
        outer, named = ends(values), self._named[key]
        if isinstance(values, CategoricalDistribution) or not named:
            return list(dict.fromkeys(outer))
        inner = [cast(values, value) for value in named if takes(values, value)]
        unnamed = (
            value
            for value in enumerate_values(values) or ()
            if not any(same(value, name) for name in named)
        )
        return list(dict.fromkeys([outer[0], *inner, next(unnamed, outer[0]), outer[-1]]))
