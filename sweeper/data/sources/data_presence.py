"""Whether data is there at all, seen without importing TensorFlow."""

import stat
from pathlib import Path
from typing import Literal

from sweeper.config import Csv, Dataset, Folder
from sweeper.data.sources.naming import StoredNames, printable


def absent(dataset: Dataset) -> str | None:
    """What to do about a folder or table that is not there; None where it is, or is no file."""
    match dataset:
        case Folder():
            fault = why_not("folder", _stored(dataset.path))
            advice = (
                "<folder that holds one folder of images a class>, or dataset=csv for a table of "
                "images"
            )
        case Csv():
            fault = why_not("file", _stored(dataset.path))
            advice = "<CSV file with a row for each image>, or dataset=folder for folders of images"
        case _:
            return None
    return f"dataset.path: {fault}; set dataset.path={advice}" if fault else None


def _stored(path: Path) -> Path:
    """``path`` in the Unicode form in which the disk has it."""
    try:
        return StoredNames().find(path.expanduser().absolute())
    except (OSError, ValueError, RuntimeError):  # the reason is for why_not to give
        return path


def why_not(kind: Literal["file", "folder"], path: Path) -> str | None:
    """What keeps ``path`` from being one: it is not there, not that, or out of reach."""
    name = printable(path)
    try:
        path = path.expanduser().absolute()
        name = printable(path)
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"there is no {kind} {name}"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"
    except (ValueError, RuntimeError):  # NUL; ~ of a user who is not known
        return f"{name} cannot be the name of a {kind}"
    right = stat.S_ISDIR(mode) if kind == "folder" else stat.S_ISREG(mode)
    return None if right else f"{name} is not a {kind}"
