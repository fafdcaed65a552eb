"""MLflow's own pages, as a person goes through them.

What is looked for here are things of MLflow 3.17's pages that have a name or a role; a newer MLflow
may call them otherwise.
"""

from collections.abc import Mapping

from playwright.sync_api import Page

RUNS = "/#/experiments/{}/runs?workflowType=machine_learning"
_NAMES = """
() => [...document.querySelectorAll('[role="gridcell"][col-id="attributes.`Run Name`"] a')]
  .map((link) => [Number(link.closest('[row-index]').getAttribute('row-index')), link.innerText])
  .sort((one, other) => one[0] - other[0])  // rows that are there stay where they are in the page
  .map((one) => one[1].trim())
"""
_CURVES = """
(title) => [...document.querySelectorAll('.js-plotly-plot')]
  .filter((plot) => plot.closest('[data-testid="experiment-view-compare-runs-card"]')
    ?.innerText.split('\\n').includes(title))
  .flatMap((plot) => plot.data.map((curve) => [curve.name, [...curve.x], [...curve.y]]))
"""


class RunsTable:
    """The table of runs that ``page`` shows."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    def open(cls, page: Page, server: str, experiment_id: str) -> "RunsTable":
        """The table of all runs of an experiment, at ``server``."""
        page.goto(server + RUNS.format(experiment_id))
        return cls(page)

    def names(self, count: int) -> list[str]:
        """Names of the runs from the top down, once there are ``count``."""
        self._page.wait_for_function(f"(count) => ({_NAMES})().length === count", arg=count)
        return list(self._page.evaluate(_NAMES))

    def wait_until_sorted(self, values: Mapping[str, float]) -> None:
        """Wait until there are the runs of ``values``, from the highest value to the lowest."""
        self._page.wait_for_function(
            f"""(values) => {{
              const found = ({_NAMES})().map((name) => values[name]);
              return found.length === Object.keys(values).length
                && found.every((value, place) => place === 0 || found[place - 1] >= value);
            }}""",
            arg=dict(values),
        )

    def expand(self, name: str) -> None:
        """Show the runs below the run ``name``."""
        link = self._page.get_by_role("link", name=name, exact=True)
        cell = self._page.get_by_role("gridcell").filter(has=link)
        cell.get_by_role("button").first.click()

    def sort(self, by: str) -> None:
        """Sort by a column, the highest first."""
        self._page.get_by_test_id("sort-select-dropdown").click()
        self._page.get_by_role("menuitemcheckbox", name=by, exact=True).click()
        self._page.get_by_test_id("sort-select-dropdown").filter(has_text=by).wait_for()


def curves(page: Page, metric: str, runs: int) -> dict[str, tuple[list[float], list[float]]]:
    """Steps and values of each of ``runs`` curves in the chart of ``metric``, by names of runs."""
    page.get_by_placeholder("Search metric charts").fill(metric)
    page.wait_for_function(
        f"([title, runs]) => new Set(({_CURVES})(title).map((one) => one[0])).size === runs",
        arg=[metric, runs],
    )
    found: list[tuple[str, list[float], list[float]]] = page.evaluate(_CURVES, metric)
    return {name: (steps, values) for name, steps, values in found}


def followed(page: Page, link: str) -> Page:
    """The page that ``link`` of a description opens, in a tab of its own."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name=link, exact=True).first.click()
    return opened.value


def unfold_description(page: Page) -> None:
    """Show the whole description of a run, of which the page shows the first lines alone."""
    page.get_by_text("Show more", exact=True).click()
    page.get_by_text("Show less", exact=True).wait_for()
