"""Paths of very many files, held in little memory."""

import os
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sweeper.data.stratified import Indices


class Paths(Sequence[str]):
    """Paths of files below a folder: their names there one after the other, and where each ends.

    A list of texts takes some 130 bytes for each besides its characters.
    """

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        above, names, ends = f"{root}{os.sep}", bytearray(), array("q", [0])
        for path in paths:
            names += os.fsencode(path.removeprefix(above))  # a name need not be UTF-8
            ends.append(len(names))
        self._above, self._names, self._ends = os.fsencode(above), bytes(names), ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return os.fsdecode(self._encoded(range(len(self))[place]))

    def encoded(self, places: Indices) -> NDArray[np.object_]:
        """``[n]`` bytes: the paths at these places."""
        return np.array([self._encoded(int(place)) for place in places], dtype=np.object_)

    def _encoded(self, place: int) -> bytes:
        name = self._names[self._ends[place] : self._ends[place + 1]]
        return name if name.startswith(b"/") else self._above + name
