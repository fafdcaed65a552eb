"""The order of parameters: each after those that its conditions and values depend on."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from sweeper.search.space.cases import Case, Composed, bare, needs

Cases = Mapping[str, Sequence[Case]]


def in_order(cases: Cases) -> dict[str, tuple[Case, ...]]:
    """``cases`` by key, in an order in which each key comes after those it depends on.

    A parameter without cases can never exist, and takes with it the cases that are about it.

    Raises:
        ValueError: parameters depend on one another in a circle; it names them.
    """
    graph = {
        key: {parent for case in own for parent in needs(key, case, cases)}
        for key, own in cases.items()
    }
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"parameters depend on one another in a circle: {circle}") from None
    place = {key: number for number, key in enumerate(cases)}
    names = {bare(key): key for key in cases}
    ready: list[str] = []
    ordered: dict[str, tuple[Case, ...]] = {}
    while sorter.is_active():
        ready += sorter.get_ready()
        # what is read from the composed rest comes as late as it can
        key = min(ready, key=lambda key: (_reads_rest(cases[key], names), place[key]))
        ready.remove(key)
        sorter.done(key)
        left = tuple(case for case in cases[key] if _may_exist(case, names, ordered))
        if left:
            ordered[key] = left
    return ordered


def _reads_rest(cases: Sequence[Case], names: Mapping[str, str]) -> bool:
    """Whether some case depends on the composed configuration."""
    return any(
        isinstance(one.values, Composed) or not one.when.keys() <= names.keys() for one in cases
    )


def _may_exist(case: Case, names: Mapping[str, str], ordered: Mapping[str, object]) -> bool:
    return all(names[name] in ordered for name in case.when if name in names)
