"""Work on its way to another machine: paths of the study become those of its copy there."""

import io
from pathlib import Path, PurePath
from typing import Any

import cloudpickle


class _Here:
    """Where the study's folder is in this process."""

    root: Path | None = None


def settle(root: Path) -> None:
    """Let paths of work that is read from now on lie below ``root``."""
    _Here.root = root


def below(name: str) -> Path:
    """The path that is ``name`` in the folder of the study, wherever that is here."""
    assert _Here.root is not None, "settle() comes first"
    return _Here.root / name


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles paths in the study's folder by their names in it."""

    def __init__(self, file: io.BytesIO, root: Path) -> None:
        super().__init__(file)
        self._root = root

    def reducer_override(self, value: Any) -> Any:
        """What :mod:`pickle` calls for each object that it has no way of its own for."""
        if isinstance(value, PurePath) and value.is_relative_to(self._root):
            return below, (value.relative_to(self._root).as_posix(),)
        return super().reducer_override(value)


def dumps(work: Any, root: Path) -> bytes:
    """``work``, pickled by cloudpickle, without the place of the study's folder ``root``."""
    file = io.BytesIO()
    _Pickler(file, root).dump(work)
    return file.getvalue()
