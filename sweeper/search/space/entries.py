"""``hydra.sweeper.params`` and the command line, read into entries: cases, or fixed overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeper.config import nearest
from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.space.cases import Case, Composed, bare, read_values
from sweeper.search.space.syntax import distribution_of, read_override, spell_yaml


@dataclass(frozen=True)
class Entry:
    """One parameter or override as it was written.

    ``line`` is the whole override where it was one; ``cases`` is empty when it is fixed.
    """

    key: str
    cases: tuple[Case, ...]
    line: str
    in_recipe: bool


def read_entries(
    parser: OverridesParser, params: Mapping[str, Any], arguments: Sequence[str]
) -> list[Entry]:
    """The entries of both, the command line's in place of the recipe's under the same name.

    Raises:
        ConfigError: naming every entry that cannot be read.
    """
    faults: list[str] = []
    entries: dict[str, Entry] = {}
    overridden = {bare(line.partition("=")[0]) for line in arguments}
    kept = {
        key: written
        for key, written in params.items()
        if written is not None and bare(key) not in overridden
    }
    for key, written in kept.items():
        try:
            if _is_cases(written):
                entries[key] = Entry(key, _read_cases(parser, key, written), "", in_recipe=True)
            else:
                entries[key] = _read_line(parser, f"{key}={spell_yaml(written)}", in_recipe=True)
        except ConfigError as error:
            faults += error.faults
    for line in arguments:
        try:
            entry = _read_line(parser, line, in_recipe=False)
        except ConfigError as error:
            faults += error.faults
        else:
            entries[entry.key] = entry
    if faults:
        raise ConfigError(faults)
    return list(entries.values())


def _read_line(parser: OverridesParser, line: str, *, in_recipe: bool) -> Entry:
    key, _, text = line.partition("=")
    if "${" in text and not key.startswith("~"):
        return Entry(key, (Case({}, Composed(text)),), line, in_recipe)
    try:
        override = read_override(parser, line)
        distribution = distribution_of(override)
    except ValueError as error:
        raise ConfigError([f"cannot read the override {line!r}: {error}"]) from None
    cases = () if distribution is None else (Case({}, distribution),)
    return Entry(override.get_key_element(), cases, line, in_recipe)


def _is_cases(written: object) -> bool:
    """Whether YAML spells out cases: a mapping, or a list of nothing else."""
    if isinstance(written, list) and written:
        return all(isinstance(item, Mapping) for item in written)
    return isinstance(written, Mapping)


def _read_cases(parser: OverridesParser, key: str, written: Any) -> tuple[Case, ...]:
    """The cases of ``key`` as YAML spells them out; ConfigError with all that is wrong."""
    listed: list[Mapping[str, Any]] = [written] if isinstance(written, Mapping) else written
    faults: list[str] = []
    cases: list[Case] = []
    for number, one in enumerate(listed):
        where = key if len(listed) == 1 else f"{key}[{number}]"
        for unknown in sorted(set(map(str, one)) - {"when", "value"}):
            hint = nearest(unknown, ["when", "value"])
            faults.append(f"{where} has the key {unknown!r}; a case has `when` and `value`{hint}")
        if "value" not in one:
            faults.append(f"{where} has no `value`; say what the parameter may be")
            continue
        if "when" not in one and number < len(listed) - 1:
            faults.append(f"{where} has no `when`, so no case after it can hold; put it last")
        try:
            when = _read_when(one.get("when", {}))
            cases.append(Case(when, read_values(parser, bare(key), one["value"])))
        except ValueError as error:
            faults.append(f"{where}: {error}")
    if faults:
        raise ConfigError(faults)
    return tuple(cases)


def _read_when(written: object) -> dict[str, tuple[Value, ...]]:
    if not isinstance(written, Mapping):
        raise ValueError(f"`when` must map keys to values, got {written!r}")
    when = {}
    for name, wanted in written.items():
        values = tuple(wanted) if isinstance(wanted, list) else (wanted,)
        plain = all(
            value is None or isinstance(value, bool | int | float | str) for value in values
        )
        if not values or not plain or any("${" in str(value) for value in values):
            raise ValueError(f"`when` {name} must be a plain value or a list of them, got {wanted}")
        when[bare(str(name))] = values
    return when
