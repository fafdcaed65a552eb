"""docs/reliability.md: its tables are written by `make faults`, its last section by `make soak`."""

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
SOAK = "Soak"
"""Heading of the section that the soak writes."""
_TEST = re.compile(r"^@pytest\.mark\.faults\(.*?^def (test_\w+)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A fault, what is promised then, and what was seen; ``group`` is the heading of its table."""

    group: str
    test: str
    fault: str
    promised: str
    seen: str


def all_tests() -> list[str]:
    """Module and name of each test that causes a fault, in the order of the page."""
    return [
        f"{module.stem}::{name}"
        for module in sorted(Path(__file__).parent.glob("test_*.py"))
        for name in _TEST.findall(module.read_text())
    ]


def with_rows(page: str, rows: Iterable[Row]) -> str:
    """``page`` with the tables of ``rows`` in place of those that it has."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    for group, members in groups.items():
        lines = ["| fault | promised | seen |", "|---|---|---|"]
        lines += [f"| {row.fault} | {row.promised} | {row.seen} |" for row in members]
        page = with_section(page, group, "\n".join(lines))
    return with_section(page, "Where it was seen", measured_on())


def with_section(page: str, heading: str, body: str) -> str:
    """``page`` with ``body`` below the ``##`` ``heading``, up to the next one."""
    before, found, after = page.partition(f"\n## {heading}\n")
    if not found:
        raise KeyError(f"{PAGE} has no heading {heading}")
    following = re.search(r"^## ", after, re.MULTILINE)
    rest = f"\n{after[following.start() :]}" if following else ""
    return f"{before}{found}{body}\n{rest}"


def measured_on() -> str:
    """Date, machine and versions, as one sentence."""
    parts = ("optuna", "mlflow", "sqlalchemy", "psycopg", "ray")
    names = ", ".join(f"{name} {version(name)}" for name in parts)
    return (
        f"{date.today():%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {names}."
    )
