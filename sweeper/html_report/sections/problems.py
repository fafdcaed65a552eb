"""Warnings, and trials that failed or are not to be believed, with the end of their logs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sweeper.config import warnings
from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Cell, Fold, Output, Paragraph, Section, Table
from sweeper.records import State, TrialRow
from sweeper.study_files.result import Status
from sweeper.study_files.trial_paths import TrialPaths

_LINES = 30
_TAIL = 16_384
"""Bytes of the end of a log that are looked at."""
_LOGS = 10
"""Failures whose logs are shown: many fail alike."""


def problems(content: StudyContent) -> Section | None:
    """None where there is nothing to warn of."""
    blocks = list(_blocks(content))
    return Section("problems", "Warnings and failures", blocks) if blocks else None


def _blocks(content: StudyContent) -> Iterator[Block]:
    noted = [text.removeprefix("warning: ") for text in content.about.noticed]
    noted += warnings(content.recipe) if content.recipe is not None else []
    for text in dict.fromkeys(noted):
        yield Paragraph(text)
    doubted = {n: one for n, one in content.results.items() if one.sanity not in ("", "ok")}
    if doubted:
        rows = [
            [
                Cell(str(number), number=True),
                Cell(one.sanity, mark="failed"),
                Cell(one.sanity_reason),
            ]
            for number, one in sorted(doubted.items())
        ]
        caption = "Trials whose loss check warns: distrust their values"
        yield _folded(Table(caption, ["trial", "check", "reason"], rows))
    yield from _failures(content)
    stopped = [t for t in content.trials if t.status is Status.INTERRUPTED]
    if stopped:
        rows = [
            [Cell(str(t.about.number), number=True), Cell(t.result.reason if t.result else "")]
            for t in stopped
        ]
        yield _folded(Table("Interrupted trials; others stand for them", ["trial", "reason"], rows))


def _failures(content: StudyContent) -> Iterator[Block]:
    failed = [row for row in content.summary.rows if row.state is State.FAILED]
    if not failed:
        return
    rows = [
        [
            Cell(str(row.number), number=True),
            Cell(row.cause),
            Cell(" ".join(row.reason.split())),
            Cell("" if row.counts else "tried again"),
        ]
        for row in failed
    ]
    yield _folded(Table("Failed trials", ["trial", "cause", "reason", ""], rows))
    for row in _different(failed):
        log = TrialPaths(row.folder).log
        text = tail(log)
        if text:
            yield Fold(
                f"Last lines of the log of trial {row.number}",
                [Output(str(log.relative_to(content.paths.folder.parent)), text)]
                if log.is_relative_to(content.paths.folder.parent)
                else [Output(str(log), text)],
            )


def _different(failed: list[TrialRow]) -> list[TrialRow]:
    """The first trials of each reason; of many reasons the most frequent ones."""
    times = Counter(row.reason for row in failed)
    first = {row.reason: row for row in reversed(failed)}
    return [first[reason] for reason, _ in times.most_common(_LOGS)]


def tail(log: Path) -> str:
    """The last lines of ``log``; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-_LINES:])


def _folded(table: Table) -> Block:
    rows = len(table.rows)
    return table if rows <= _LINES // 3 else Fold(f"{table.caption} ({rows:,})", [table])
