"""Packages that only some formats need."""

import contextlib
from collections.abc import Iterator

from sweeper.errors import MissingInput


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Raise MissingInput where a package that is imported in the block is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingInput(
            f"this format needs {error.name}: in the checkout, pip install -e '.[{extra}]'"
        ) from error
