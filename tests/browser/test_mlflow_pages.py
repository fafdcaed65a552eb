"""A study of real trials in MLflow's own pages, in a real browser.

``SWEEPER_PICTURES=docs/pictures`` keeps what is seen as the pictures of the documentation.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow_servers import mlflow_server
from mlflow_ui import RunsTable, curves, followed, unfold_description
from page_checks import OpenPage, View
from patience import PATIENCE
from PIL import Image
from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.more]

WIDE = View(1900, height=1000)
EPOCHS = 6
SWEEP = (
    "+experiment=digits_lite0",
    "image_size=32",
    "batch_size=128",
    "dataset.fraction=0.5",
    "phases.frozen.epochs=4",
    f"phases.unfrozen.epochs={EPOCHS - 4}",
    "cache.views=1",
    "tracking.system_metrics_seconds=0.2",
    "-m",
    "hydra.sweeper.n_trials=6",
    "hydra.sweeper.sampler.seed=3",
    "optimizer.learning_rate=choice(3e-4,1e-3,1e-2)",
    "freeze.unfreeze_blocks=choice(0,1,2)",
)


@dataclass(frozen=True)
class Study:
    """A study in MLflow: the address of its server, its own run, and those of its trials."""

    url: str
    run: Run
    trials: list[Run]

    @property
    def page(self) -> str:
        info = self.run.info
        return f"{self.url}/#/experiments/{info.experiment_id}/runs/{info.run_id}"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    folder = tmp_path_factory.mktemp("study")
    with mlflow_server(tmp_path_factory.mktemp("server")) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "sweeper", *SWEEP, f"tracking.uri={server.url}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        client = MlflowClient(server.url)
        runs = client.search_runs([client.get_experiment_by_name("digits_lite0").experiment_id])
        (run,) = (one for one in runs if one.data.tags["sweeper.role"] == "study")
        yield Study(server.url, run, [one for one in runs if one is not run])


def keep_picture(page: Page, name: str, top: str = "") -> None:
    """Keep what ``page`` shows from the text ``top`` on, where the environment asks for it."""
    if folder := os.environ.get("SWEEPER_PICTURES"):
        if (close := page.get_by_role("button", name="Close", exact=True)).is_visible():
            close.click()  # the assistant, which is not what is shown
            close.wait_for(state="hidden")
        if top:
            page.get_by_text(top, exact=True).first.evaluate("one => one.scrollIntoView()")
        shown = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
        shown.convert("RGB").quantize(128).save(Path(folder) / f"{name}.png", optimize=True)


def best_values(*runs: Run) -> dict[str, float]:
    """What the study ranks by, by names of runs."""
    return {run.info.run_name: run.data.metrics["best_val_accuracy"] for run in runs}


def test_trials_are_shown_below_their_study(study: Study, open_page: OpenPage) -> None:
    page = open_page(View(WIDE.width, height=520))
    table = RunsTable.open(page, study.url, study.run.info.experiment_id)
    assert table.names(1) == ["digits_lite0"]
    table.expand("digits_lite0")
    names = table.names(7)
    assert names[0] == "digits_lite0"
    assert sorted(names[1:]) == sorted(trial.info.run_name for trial in study.trials)
    assert all(" lr=" in name and " blocks=" in name for name in names[1:])
    keep_picture(page, "mlflow_runs")


def test_the_table_sorts_by_what_the_study_ranks_by(study: Study, open_page: OpenPage) -> None:
    page = open_page(WIDE)
    table = RunsTable.open(page, study.url, study.run.info.experiment_id)
    table.sort("best_val_accuracy")
    best = best_values(study.run, *study.trials)
    assert len(set(best.values())) > 3
    table.wait_until_sorted(best)


def test_the_description_leads_to_the_best_trials(study: Study, open_page: OpenPage) -> None:
    page = open_page(View(1400, height=440))
    page.goto(study.page)
    header = page.get_by_role("columnheader", name="trial", exact=True)
    unfold_description(page)
    keep_picture(page, "mlflow_study", top="Description")
    board = page.get_by_role("table").filter(has=header).first
    rows = board.get_by_role("row").filter(has=page.get_by_role("link")).all_inner_texts()
    values = [float(row.split()[1]) for row in rows]
    assert len(values) == 6
    assert values == sorted(values, reverse=True)
    number = rows[0].split()[0]
    trial = followed(page, number)
    trial.get_by_role("heading", name=number).wait_for()
    every = RunsTable(followed(page, "All trials, the best first"))
    every.wait_until_sorted(best_values(*study.trials))


def test_curves_of_all_trials_lie_over_one_another(study: Study, open_page: OpenPage) -> None:
    page = open_page(WIDE)
    page.goto(study.page)
    unfold_description(page)
    charts = followed(page, "their curves")
    charts.set_viewport_size({"width": WIDE.width, "height": WIDE.height})
    for metric in ("best_val_accuracy", "val_accuracy"):
        found = curves(charts, metric, 6)
        assert set(found) == {trial.info.run_name for trial in study.trials}
        for name, (steps, values) in found.items():
            assert steps == list(range(EPOCHS)), name
            (trial,) = (one for one in study.trials if one.info.run_name == name)
            assert values[-1] == trial.data.metrics[metric]
    charts.get_by_placeholder("Search metric charts").fill("accuracy")
    keep_picture(charts, "mlflow_curves")


def test_a_trial_shows_what_its_machine_was_busy_with(study: Study, open_page: OpenPage) -> None:
    page = open_page(WIDE)
    info = study.trials[0].info
    page.goto(f"{study.url}/#/experiments/{info.experiment_id}/runs/{info.run_id}/system-metrics")
    for name in ("cpu_utilization_percentage", "system_memory_usage_megabytes"):
        steps, _ = curves(page, name, 1)[str(info.run_name)]
        assert len(steps) >= 1
    page.get_by_placeholder("Search metric charts").fill("")
    page.locator(".js-plotly-plot").nth(4).wait_for()
    keep_picture(page, "mlflow_system")


def test_the_report_opens_among_the_artifacts(study: Study, open_page: OpenPage) -> None:
    page = open_page(WIDE)
    page.goto(study.page)
    unfold_description(page)
    report = followed(page, "report.html")
    report.frame_locator("iframe").get_by_role(
        "heading", name="digits_lite0", exact=True
    ).wait_for()
