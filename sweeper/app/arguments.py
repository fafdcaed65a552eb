"""The command line, looked at before Hydra composes it.

Hydra stops at the first key or option it does not know. A person who made three typing errors
wants to see all three, with the nearest valid names, and of the impossible values beside them.
"""

import contextlib
import os
import shlex
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException, OverrideParseException

from sweeper import addresses
from sweeper.addresses import redact
from sweeper.config import nearest
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir
from sweeper.validation import RECIPE, parse

_MLFLOWS = "MLFLOW_TRACKING_URI"
_QUOTES = "'\""


def overrides_last(arguments: Sequence[str]) -> list[str]:
    """Put options before overrides, which Hydra accepts in one stretch only.

    >>> overrides_last(["+experiment=x", "-m", "seed=1,2", "--cfg", "job", "~augment"])
    ['-m', '--cfg', 'job', '+experiment=x', 'seed=1,2', '~augment']
    """
    return sorted(arguments, key=_is_override)


def completes_words(arguments: Sequence[str]) -> bool:
    """Whether this is a request of shell completion, whose arguments are not overrides."""
    return any(a in ("-sc", "--shell-completion") or a.startswith("-sc=") for a in arguments)


def _is_override(argument: str) -> bool:
    return not argument.startswith("-") and ("=" in argument or argument.startswith("~"))


def hide_credentials(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with addresses that have a password or token replaced by references.

    Those of MLflow in the environment lose theirs too, before any library can print them.

    >>> hide_credentials(["seed=1", "tracking.uri=http://me:secret@host"])
    ['seed=1', 'tracking.uri=${oc.env:MLFLOW_TRACKING_URI}']
    """
    shown = [
        f"{key}={addresses.hide_credentials(key.lstrip('+'), value.strip(_QUOTES))}"
        if found and redact(value) != value
        else argument
        for argument in arguments
        for key, found, value in [argument.partition("=")]
    ]
    if uri := os.environ.get(_MLFLOWS):
        os.environ[_MLFLOWS] = addresses.move_credentials(uri)
    return shown


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse overrides that name no key, no group option, or cannot be read.

    Raises:
        ConfigError: with those faults, and those of the values that the rest would compose to.
    """
    # with recipes of their own people may have options that are not in ours
    own_recipes = any(
        a.startswith(("--config-dir", "-cd", "--config-path", "-cp")) for a in arguments
    )
    parser = OverridesParser.create()
    options, _ = get_args_parser().parse_known_args(list(arguments))
    faults = [*_excluding(options), *_no_overrides(options.overrides)]
    good: list[str] = []
    for argument in arguments:
        if not _is_override(argument):
            continue
        if unprintable := _not_text(argument):
            faults.append(unprintable)
            continue
        try:
            (override,) = parser.parse_overrides([argument])
        except (OverrideParseException, ValueError, RecursionError) as error:
            faults.append(_unreadable(argument, error, parser))
            continue
        found = list(_faults(override, own_recipes))
        faults += found
        if not found and not override.is_sweep_override():
            good.append(argument)
    if faults:
        raise ConfigError([*faults, *_value_faults(good)])


def _no_overrides(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        if not _is_override(word):
            yield (
                f"{_shortened(word)!r} is no override (key=value); a command comes first: "
                "sweeper COMMAND"
            )


def _excluding(options: Namespace) -> Iterable[str]:
    """Faults of options that Hydra does not take together."""
    asked = {"--run": options.run, "--multirun (-m)": options.multirun}
    shows = {"--cfg": options.cfg is not None, "--info": options.info is not None}
    chosen = [name for name, is_there in (asked | shows).items() if is_there]
    if len(chosen) > 1:
        hint = (
            "; without -m, --cfg shows the recipe that a sweep starts from" if options.cfg else ""
        )
        yield f"{' and '.join(chosen)} exclude each other: leave one out{hint}"
    if options.resolve and not (options.cfg or options.help):
        yield "--resolve is for --cfg job or --help: add one of them"


def _unreadable(argument: str, error: Exception, parser: OverridesParser) -> str:
    """A fault with the way to write ``argument``, where quotes are all that it lacks."""
    # the rest is about the grammar, and where Hydra's documentation has it
    reason = " ".join(str(error).split("\nSee ")[0].split()) or type(error).__name__
    key, found, value = argument.partition("=")
    quoted = f'{key}="{value}"'
    hint = ""
    if found and '"' not in value and len(quoted) <= _LONGEST:
        with contextlib.suppress(OverrideParseException, ValueError, RecursionError):
            parser.parse_overrides([quoted])
            hint = f"; quote the value, and all of it for the shell: {shlex.quote(quoted)}"
    return f"cannot read {_shortened(argument)!r}: {_shortened(reason)}{hint}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 300


def _not_text(argument: str) -> str | None:
    """A fault where ``argument`` cannot be written to files: bytes that are no UTF-8, NUL."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return f"cannot use {argument!r}: it is not UTF-8; rename what it names"
    return f"cannot use {argument!r}: it holds NUL" if "\0" in argument else None


def _faults(override: Override, own_recipes: bool) -> Iterable[str]:
    key = override.key_or_group
    if key.startswith("hydra"):
        return
    group = conf_dir() / key
    if group.is_dir():
        if not own_recipes:
            yield from _option_faults(override, group)
    elif not (override.is_add() or override.is_force_add() or override.is_delete()):
        fault = RECIPE.unknown(key)
        if fault:
            yield fault


def _option_faults(override: Override, group: Path) -> Iterable[str]:
    options = sorted(path.stem for path in group.glob("*.yaml"))
    value = override.value()
    for choice in value.list if isinstance(value, ChoiceSweep) else [value]:
        if choice not in options and not (override.is_delete() and choice in (None, "")):
            known = ", ".join(options)
            hint = nearest(str(choice), options)
            yield f"{override.key_or_group} has no option {choice!r}{hint} ({known})"


def _value_faults(overrides: Sequence[str]) -> Sequence[str]:
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            parse(compose("config", overrides=list(overrides)))
    except ConfigError as error:
        return error.faults
    except HydraException as error:
        return [" ".join(str(error).split())]
    return []
