"""Files of a study that are not as they were written: what they held is not left out silently."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sweeper.errors import SweeperError
from sweeper.study_files.lines import count, read

Read = TypeVar("Read")


def whole(reader: Callable[[Path], Read | None], path: Path) -> Read | None:
    """What ``reader`` makes of the file ``path``, None where there is no such file.

    Raises:
        SweeperError: there is one, and it cannot be read.
    """
    known = reader(path)
    if known is None and path.exists():
        known = reader(path)  # it may have been written in between
        if known is None:
            raise damaged(path)
    return known


def check_lines(path: Path, end: int) -> None:
    """See that no line of the file ``path`` was left out behind byte ``end``.

    Raises:
        SweeperError: the line that begins there is damaged.
    """
    if count(path, end) and next(read(path, end), None) is None:
        raise damaged(f"{path} from byte {end} on")


def damaged(what: object) -> SweeperError:
    """What to raise where the file ``what`` cannot be read."""
    return SweeperError(
        f"{what} is damaged; restore that file, or move it elsewhere to do without what it holds"
    )


def check_json(path: Path) -> None:
    """See that the file ``path``, where there is one, holds JSON, whatever it says.

    Raises:
        SweeperError: it does not.
    """

    def look(path: Path) -> bool | None:
        try:
            return json.loads(path.read_text(encoding="utf-8")) is not None
        except (FileNotFoundError, ValueError):
            return None

    whole(look, path)
