"""The possibilities of a searched parameter, and what they depend on.

A parameter is a list of cases; the first that holds says what it may be. When none holds, the
parameter does not exist and its key keeps what the recipe composes to. In YAML::

    optimizer: choice(adam, sgd)
    optimizer.momentum:                     # a mapping is one case
      when: {optimizer: sgd}                # a value or a list of them; all keys must hold
      value: interval(0.5, 0.99)
    freeze.unfreeze_blocks:                 # a list of cases
      - {when: {backbone: xception}, value: "range(1, 14)"}
      - {value: "range(1, 3)"}              # no `when`: otherwise
    head.units: "int(interval(1, ${backbone.width}))"    # read once the rest is composed
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution

from sweeper.records import Value
from sweeper.search.space.distributions import in_brief
from sweeper.search.space.syntax import distribution_of, read_override, spell, spell_yaml, value_of


@dataclass(frozen=True)
class Fixed:
    """A value that is not searched; a list or mapping is the text that Hydra reads."""

    value: Value

    def __str__(self) -> str:
        return spell(self.value)


@dataclass(frozen=True)
class Composed:
    """Text with ``${...}``, read once the rest of a trial's configuration is composed."""

    text: str

    def __str__(self) -> str:
        return self.text


Values = BaseDistribution | Fixed | Composed


@dataclass(frozen=True)
class Case:
    """One possibility of a parameter.

    ``when`` maps the override key of a parameter, a group, or a key of the configuration to the
    values that let the case hold; all must. Empty, it always holds.
    """

    when: Mapping[str, tuple[Value, ...]]
    values: Values

    def __str__(self) -> str:
        """Part of a study's fingerprint, which is kept: the same text in every version."""
        conditions = [
            f"{key} is {' or '.join(map(spell, wanted))}" for key, wanted in self.when.items()
        ]
        return f"{self.values}" + (f" when {' and '.join(conditions)}" if conditions else "")

    def in_words(self) -> str:
        """For a person: ``0.1 to 0.5, when optimizer is sgd``."""
        values = self.values
        if isinstance(values, BaseDistribution):
            text = in_brief(values)
        else:
            text = f"always {values}" if isinstance(values, Fixed) else str(values)
        conditions = [f"{key} is {_alternatives(wanted)}" for key, wanted in self.when.items()]
        return f"{text}, when {' and '.join(conditions)}" if conditions else text


def _alternatives(values: Sequence[Value]) -> str:
    whole = [value for value in values if type(value) is int]
    if len(values) > 2 and whole == [*range(whole[0], whole[0] + len(values))]:
        return f"{whole[0]} to {whole[-1]}"
    return " or ".join(map(spell, values))


def bare(key: str) -> str:
    """``key`` without what says whether it is added or deleted: the name it goes by."""
    return key.lstrip("+~")


def read_values(parser: OverridesParser, key: str, written: object) -> Values:
    """What YAML or the command line gives for ``key``, one case of it; ValueError if unreadable."""
    text = spell_yaml(written)
    if "${" in text:
        return Composed(text)
    override = read_override(parser, f"{key}={text}")
    distribution = distribution_of(override)
    return Fixed(value_of(override)) if distribution is None else distribution


_REFERENCE = re.compile(r"\$\{\s*([^${}:\s]+)\s*\}")


def needs(key: str, case: Case, keys: Iterable[str]) -> set[str]:
    """Which of the searched ``keys`` must be known before ``case`` of ``key`` is."""
    text = case.values.text if isinstance(case.values, Composed) else ""
    read = [name.removeprefix("hydra.runtime.choices.") for name in _REFERENCE.findall(text)]
    return {
        other
        for other in keys
        if any(below(name, bare(other)) for name in case.when)
        # a bound may be what the recipe itself has under the key
        or (other != key and any(below(name, bare(other)) for name in read))
    }


def below(name: str, key: str) -> bool:
    """Whether ``key`` decides ``name``: ``backbone`` does decide ``backbone.width``."""
    path, top = (text.replace("/", ".").split("@")[0].split(".") for text in (name, key))
    return path[: len(top)] == top


ABSENT = object()
"""What :func:`look_up` gives for a name that the configuration does not have."""


def look_up(config: DictConfig, name: str) -> object:
    """The option of the group ``name``, or the value of that key; else ABSENT."""
    choices = config.hydra.runtime.choices
    if name in choices:
        return choices[name]
    try:
        return OmegaConf.select(config, name, default=ABSENT)
    except OmegaConfBaseException:
        return ABSENT


def resolve(config: DictConfig, text: str) -> object:
    """``text`` with each ``${...}`` replaced as at the root of ``config``.

    Raises:
        OmegaConfBaseException: one of them names nothing, or nothing yet.
    """
    with read_write(config), open_dict(config):
        config[_SCRATCH] = text
        try:
            value = config[_SCRATCH]
        finally:
            del config[_SCRATCH]
    if isinstance(value, DictConfig | ListConfig):
        return OmegaConf.to_container(value, resolve=True)
    return value


_SCRATCH = "_sweeper_text"
