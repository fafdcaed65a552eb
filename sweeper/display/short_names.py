"""Short names of parameters: the fewest last parts of dotted names that tell them apart."""

from collections.abc import Collection, Iterable

_NO_NAME = frozenset({"name"})
"""Last parts that say nothing: ``optimizer.name`` and ``backbone.name``."""


def short_names(names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """The fewest last parts of each dotted name that no other one ends with.

    Args:
        names: of all parameters that are shown together.
        taken: names of other columns beside them, which none of them may have.

    >>> short_names(["optimizer.learning_rate", "phases.unfrozen.learning_rate", "batch_size"])
    {'optimizer.learning_rate': 'optimizer.learning_rate', \
'phases.unfrozen.learning_rate': 'unfrozen.learning_rate', 'batch_size': 'batch_size'}
    """
    known = list(dict.fromkeys(names))

    def shortest(name: str) -> str:
        parts = name.split(".")
        others = [f".{other}" for other in known if other != name]
        for count in range(1, len(parts)):
            tail = ".".join(parts[-count:])
            free = tail not in taken and tail not in _NO_NAME
            if free and not any(other.endswith(f".{tail}") for other in others):
                return tail
        return name

    return {name: shortest(name) for name in known}
