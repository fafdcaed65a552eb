"""What every part of the recipe's schema is made of."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest known name, or nothing when none is close."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean '{names[close[0]]}'?" if close else ""


def one_of(word: str, known: Iterable[str], what: str) -> str:
    """Return ``word`` if it is known; raise ValueError naming the nearest that is."""
    names = list(known)
    if word not in names:
        hint = nearest(word, names) or f"; known: {', '.join(names)}"
        raise ValueError(f"must name {what}, got {word!r}{hint}")
    return word


Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
File = Annotated[Path, Strict(False)]


class Closed(BaseModel):
    """A group of keys that takes no others, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
