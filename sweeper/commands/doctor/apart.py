"""Checks in a process of their own: what kills it is the outcome of one check, not the end."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sweeper.errors import SweeperError
from sweeper.execute.executor import Channel, Executor, Placement, SilentChannel
from sweeper.execute.failures import described
from sweeper.records import Attribute, Note

_SECONDS = 600
"""For all checks. A driver that hangs never ends by itself."""

Checks = Mapping[str, Callable[[], Any]]
"""By their names; what they return is written as JSON."""


@dataclass(frozen=True)
class Failed:
    """A check that raised ``reason``, or whose process died of it."""

    reason: str


def run_apart(
    checks: Checks, executor: Executor, log: Path, placement: Placement | None = None
) -> dict[str, Any]:
    """What each of ``checks`` returns, or :class:`Failed`.

    They run one after another in one process. Where it dies, the rest run in another one; where it
    dies of the first check, there is no use in the others, and they are left out.

    Args:
        checks: what to run.
        executor: starts the processes.
        log: what they write.
        placement: where they run.
    """
    found: dict[str, Any] = {}
    while left := {name: check for name, check in checks.items() if name not in found}:
        results = _Results(found)
        try:
            executor.run(partial(_work, left), log, results, placement, _SECONDS)
        except SweeperError as error:
            culprit = next((name for name in left if name not in found), None)
            if culprit is not None:
                found[culprit] = Failed(getattr(error, "reason", str(error)))
            if len(found) <= 1:
                break
    return found


def _work(checks: Checks, channel: Channel) -> None:
    for name, check in checks.items():
        try:
            outcome = {"found": check()}
        except Exception as error:
            text = str(error) if isinstance(error, SweeperError) else described(error)
            outcome = {"failed": text}
        channel.note(Attribute(name, json.dumps(outcome)))


class _Results(SilentChannel):
    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def note(self, note: Note) -> None:
        """Keep the outcome of a check."""
        if isinstance(note, Attribute):
            outcome = json.loads(str(note.value))
            self._found[note.key] = (
                outcome["found"] if "found" in outcome else Failed(outcome["failed"])
            )
