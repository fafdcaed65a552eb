"""Private names of other libraries stand in one table, each with a test that notices a change."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTED = {"_exit", "_getframe", "_replace"}
"""Names of Python that begin with an underscore and are documented."""


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


def used(tree: ast.AST) -> Iterator[str]:
    """Private names that a module takes from an object that is not its own."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if private(name):
                yield name
            case ast.Import(names=names):
                yield from (p for alias in names for p in alias.name.split(".") if private(p))
            case ast.ImportFrom(module=str(module), names=names):
                yield from filter(private, module.split("."))
                yield from (alias.name for alias in names if private(alias.name))
            case _:
                pass


def table() -> list[tuple[set[str], str, str]]:
    """(names, where they are used, test that notices) of each row."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.split("## Private names of other libraries\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return [
        (set(re.findall(r"`(_\w+)`", row[0])), row[2].strip("`"), row[3].rstrip(" |").strip("`"))
        for row in rows
    ]


def test_the_table_names_all_that_is_used_where_it_is_used() -> None:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "sweeper").rglob("*.py"):
        source = ast.parse(path.read_text())
        name = str(path.relative_to(ROOT / "sweeper"))
        for attribute in used(source):
            found.setdefault(name, set()).add(attribute)
    named: dict[str, set[str]] = {}
    for names, places, _ in table():
        for place in places.split("`, `"):
            named.setdefault(place, set()).update(names)
    assert found == named


def test_the_tests_of_the_table_exist() -> None:
    for names, _, test in table():
        module, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / module).read_text(), (names, test)


def test_what_trials_are_forked_from_can_be_imported() -> None:
    # the fork server leaves out what cannot be imported, without a message
    subprocess.run([sys.executable, "-c", "import sweeper.search.running.fork_warmup"], check=True)
