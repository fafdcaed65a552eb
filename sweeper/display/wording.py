"""How results, commands and paths are written for a person to read, or to type again."""

import shlex
from collections.abc import Mapping, Sequence

from sweeper.addresses import redact
from sweeper.records import Value
from sweeper.short_numbers import short_number

_LONGEST = 32
"""Characters of a value where there is little room."""


def spelled_values(values: Mapping[str, float]) -> str:
    """Values by the names of their objectives, on one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def spelled_params(params: Mapping[str, Value]) -> str:
    """Parameters by their whole names, on one line, numbers with 4 digits."""
    return ", ".join(
        f"{name}={f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in params.items()
    )


def spelled_test(test: Mapping[str, float]) -> str:
    """The test result for a person, with how sure it is; a recipe may want no test."""
    if "test_accuracy" not in test:
        return "no test (dataset.test_fraction=0)"
    low, high = test["test_accuracy_low"], test["test_accuracy_high"]
    return f"test accuracy {test['test_accuracy']:.4f} (95 %: {low:.3f} to {high:.3f})"


def command(overrides: Sequence[str]) -> str:
    """The shell command that runs one recipe again."""
    return f"python -m sweeper {shlex.join(redact(word) for word in overrides)}"


def ui_command(uri: str) -> str:
    """The address of the MLflow UI on the runs at ``uri``, or the shell command that opens it."""
    shown = redact(uri)
    if uri.startswith("http"):
        return shown
    return f"mlflow ui --host 127.0.0.1 --backend-store-uri {shlex.quote(shown)}"


def spelled_value(value: Value) -> str:
    """A value as Hydra's command line takes it, with every digit."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def brief(value: Value) -> str:
    """A value as a name has room for it; of a path the end says most."""
    spelled = short_number(value, 3) if isinstance(value, float) else spelled_value(value)
    text = " ".join(spelled.split())
    if len(text) <= _LONGEST:
        return text
    if "/" in text:
        return f"…{text[1 - _LONGEST :]}"
    return f"{text[: _LONGEST - 1]}…"
