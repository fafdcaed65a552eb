"""``docs/reference.md`` is what the schema and ``conf/`` say today."""

import importlib.util
from pathlib import Path

from sweeper.config import Recipe
from sweeper.config.affects import declared

SCRIPT = Path(__file__).parents[1] / "docs" / "make_reference.py"
SPEC = importlib.util.spec_from_file_location("make_reference", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
make_reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_reference)


def test_the_page_is_up_to_date() -> None:
    assert make_reference.PAGE.read_text() == make_reference.page(), "run make reference"


def test_each_key_has_a_type_and_a_meaning() -> None:
    rows = [line.split(" | ") for line in make_reference.page().splitlines() if "| `" in line]
    shown = {row[0].strip("| `") for row in rows}
    own = {key for key in declared(Recipe) if not key.startswith(("phases.frozen.o", "phases.u"))}
    assert {key for key in own if ".schedule." not in key} <= shown
    for row in rows:
        assert "any value" not in row[1] or row[0].endswith(("sampler`", "pruner`"))
        assert len(row[-1].strip(" |")) > 5, row[0]
