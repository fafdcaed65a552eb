"""What each fault led to is collected here; when all were tried, docs/reliability.md is written."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest
from faults.reliability import PAGE, Row, all_tests, with_rows

_ROWS: dict[str, Row] = {}
_KEPT = "faults/rows"
"""Where pytest's cache has the rows of the run before this, for ``--last-failed``."""


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Called with what a test has seen, for its row in docs/reliability.md."""
    marker = request.node.get_closest_marker("faults")
    said: list[str] = []
    yield said.append
    if said:
        row = Row(
            request.module.GROUP,
            f"{request.path.stem}::{request.node.name}",
            marker.kwargs["fault"],
            marker.kwargs["promised"],
            "; ".join(said).replace("|", "\\|"),
        )
        print(f"seen: {row.seen}")
        # it reaches the process that writes the page, if that is another one
        request.node.user_properties.append(("faults", asdict(row)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties if report.when == "teardown" else ():
        if name == "faults" and isinstance(value, dict):
            _ROWS[value["test"]] = Row(**value)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if hasattr(config, "workerinput") or not os.environ.get("SWEEPER_WRITE_RELIABILITY"):
        return
    assert config.cache is not None
    rows = dict(_ROWS)
    if config.getoption("lf"):  # those that passed were left out
        kept = config.cache.get(_KEPT, {})
        rows = {test: Row(**kept[test]) for test in kept} | rows
    config.cache.set(_KEPT, {test: asdict(row) for test, row in rows.items()})
    missing = [test for test in all_tests() if test not in rows]
    if exitstatus or missing:
        print(f"\n{PAGE.name} stays as it is: a test failed, or was left out: {missing}")
    else:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_rows(page, [rows[test] for test in all_tests()]), encoding="utf-8")
        print(f"\n{PAGE.name} is written")
