"""What the doctor found: a line for each thing, as a page for a person or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper.addresses import redact


class State(StrEnum):
    """Whether a recipe can use what was found."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    Attributes:
        group: heading that it stands under.
        name: what was looked at.
        found: what was found.
        state: whether that is fine.
        advice: what to do about it, or what it means; may be empty.
    """

    group: str
    name: str
    found: str
    state: State = State.OK
    advice: str = ""


_STYLES = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "bold red"}


def print_page(lines: Sequence[Line], console: Console) -> None:
    """Print ``lines`` by groups, aligned, and at last how many are not fine."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for group, members in groupby(lines, lambda line: line.group):
        table.add_row(Text(group, "bold"))
        for line in members:
            state = Text(line.state, _STYLES[line.state])
            if line.advice:
                state.append(f": {redact(line.advice)}", "default not bold")
            table.add_row(Text(f"  {line.name}"), Text(redact(line.found)), state)
    console.print(table)
    console.print(_verdict(lines))


def to_json(lines: Sequence[Line]) -> str:
    """``lines`` as a list of objects."""
    return redact(json.dumps([asdict(line) for line in lines], indent=2))


def is_broken(lines: Sequence[Line]) -> bool:
    """Whether something is broken."""
    return any(line.state is State.BROKEN for line in lines)


def _verdict(lines: Sequence[Line]) -> str:
    counts = {state: sum(line.state is state for line in lines) for state in State}
    if counts[State.BROKEN] or counts[State.WARNING]:
        return f"broken: {counts[State.BROKEN]}, warnings: {counts[State.WARNING]}"
    return "all is well"
