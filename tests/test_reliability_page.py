"""docs/reliability.md has a row for each fault that tests/faults causes, and for no other."""

import ast
import re
from pathlib import Path

from faults.reliability import PAGE, SOAK, Row, all_tests, with_rows, with_section

FAULTS = Path(__file__).parent / "faults"


def faults() -> dict[str, str]:
    """What each test of tests/faults causes, by module and name of the test."""
    found = {}
    for module in FAULTS.glob("test_*.py"):
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                (marker,) = [one for one in node.decorator_list if isinstance(one, ast.Call)]
                keywords = {
                    one.arg: ast.literal_eval(one.value)
                    for one in marker.keywords
                    if one.arg == "fault"
                }
                found[f"{module.stem}::{node.name}"] = keywords["fault"]
    return found


def test_the_page_has_a_row_for_each_fault() -> None:
    page = PAGE.read_text()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if "|" in line]
    tables = [row for row in rows if row not in {"fault", "|---|---|---|"}]
    soak = page.partition(f"## {SOAK}\n")[2]
    assert sorted(row for row in tables if row not in soak) == sorted(faults().values())


def test_every_test_is_waited_for() -> None:
    assert sorted(all_tests()) == sorted(faults())


def test_a_table_takes_the_place_of_an_older_one() -> None:
    page = "# Title\n\ntext\n\n## Where it was seen\n\n## Disks\nold\n\n## Soak\nkept\n"
    row = Row("Disks", "test_one", "full", "nothing is lost", "seen")
    written = with_rows(page, [row])
    assert "| full | nothing is lost | seen |\n\n## Soak\nkept\n" in written
    assert "old" not in written
    assert with_rows(written, [row]) == written
    assert re.search(r"cores, \w+, Python 3\.\d+", written)
    assert with_section(page, "Soak", "new").endswith("## Soak\nnew\n")
