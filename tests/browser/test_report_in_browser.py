"""``report.html`` in a real browser, from the disk, as a person opens it.

``SWEEPER_PICTURES=docs/pictures`` keeps what is seen as the pictures of the documentation.
"""

import io
import os
from pathlib import Path

import pytest
from made_studies import Made, findings
from page_checks import VIEWS, OpenPage, View, accessibility_faults, too_wide
from PIL import Image
from playwright.sync_api import Page

from sweeper.html_report.report_page import write_report
from sweeper.report.data_counts import DataCounts, write_counts
from sweeper.study_files.result import Status
from sweeper.study_files.study_paths import StudyPaths

pytestmark = pytest.mark.slow

HOSTILE = (
    "<img src=x onerror=\"console.error('ran')\">'\"</script><script>console.error('ran')</script>"
)
LONG = "Schwarzbraunbärenfellmützenträgerinnenverein"
CJK = "柴犬 (しばいぬ) 品種"
PICTURED = ("390-dark", "1400-light")
"""Views that the documentation shows."""


def complete(folder: Path, **others: object) -> Made:
    """A study with everything a report can hold."""
    study = Made(folder, **others)  # type: ignore[arg-type]
    for number in range(30):
        state = Status.PRUNED if number % 4 == 3 else Status.COMPLETE
        study.add(state, reason="behind the median" * (number % 4 == 3))
    study.add(Status.FAILED, reason="it ran out of memory", log="Traceback\n  MemoryError\n")
    names = list(study.class_names)
    counts = {"train": [80] * len(names), "validation": [20] * len(names)}
    files = StudyPaths(folder).report_files
    write_counts(files, DataCounts("cats", names, counts, [("cat/broken.jpg", "cut short")]))
    findings(folder)
    return study


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ["cat", "dog", LONG, CJK, "hen", "ox"]
    folder = tmp_path_factory.mktemp("study") / "digits"
    return write_report(complete(folder, class_names=names).folder)


def shown(page: Page, file: Path) -> None:
    """Open ``file`` and wait until all charts are drawn."""
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-drawn=all]", state="attached")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(view, id=str(view), marks=() if str(view) in PICTURED else pytest.mark.more)
        for view in VIEWS
    ],
    indirect=True,
)
def test_it_fits_is_readable_for_everyone_and_has_no_errors(
    page: Page, report: Path, page_errors: list[str], request: pytest.FixtureRequest
) -> None:
    shown(page, report)
    assert too_wide(page) == []
    assert accessibility_faults(page) == []
    assert page_errors == []
    assert page.get_by_text(CJK, exact=True).count() > 0, "the browser has fonts of its own"
    for fold in page.locator("details").all():
        fold.locator("summary").click()
    assert too_wide(page) == []
    assert page.locator(".js-plotly-plot .main-svg").count() > 5
    view = request.node.callspec.id
    if (folder := os.environ.get("SWEEPER_PICTURES")) and view in PICTURED:
        page.reload()
        page.wait_for_selector("html[data-drawn=all]", state="attached")
        keep_picture(page, Path(folder) / f"report_{view}.png")


def keep_picture(page: Page, file: Path) -> None:
    """The first screens of ``page``."""
    assert page.viewport_size is not None
    top = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": 1700}
    shown = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=top)))
    shown.convert("RGB").quantize(128).save(file, optimize=True)


def test_charts_take_the_colours_that_the_system_changes_to(page: Page, report: Path) -> None:
    shown(page, report)
    colour = "() => document.querySelector('.js-plotly-plot').layout.font.color"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"(before) => ({colour})() !== before", arg=light)
    # on paper they are dark on white again
    page.emulate_media(color_scheme="dark", media="print")
    page.wait_for_function(f"(before) => ({colour})() === before", arg=light)


def test_it_is_read_without_a_mouse(page: Page, report: Path) -> None:
    shown(page, report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the result"
    page.keyboard.press("Enter")
    assert page.url.endswith("#answer")
    # each chart says what it shows
    assert page.evaluate(
        """() => [...document.querySelectorAll('.plot')].every((plot) =>
             document.getElementById(plot.getAttribute('aria-describedby')).textContent.trim())"""
    )


def test_names_are_never_code(tmp_path: Path, page: Page, page_errors: list[str]) -> None:
    about = {"data": (HOSTILE,), "noticed": (HOSTILE,), "words": (HOSTILE,)}
    study = complete(tmp_path / "digits", class_names=[HOSTILE, "dog"], about=about)
    shown(page, write_report(study.folder))
    assert page_errors == []
    assert page.locator("img[src=x]").count() == 0
    assert too_wide(page) == []


@pytest.mark.parametrize(
    "kind",
    [
        "running",
        *(
            pytest.param(kind, marks=pytest.mark.more)
            for kind in ("two objectives", "failures", "one", "folds", "none")
        ),
    ],
)
def test_studies_of_every_kind(
    kind: str, tmp_path: Path, open_page: OpenPage, page_errors: list[str]
) -> None:
    objectives = ("val_accuracy", "val_loss") if kind == "two objectives" else ("val_accuracy",)
    study = Made(tmp_path / "digits", objectives=objectives)
    match kind:
        case "running":
            study.add()
            study.add(Status.RUNNING)
        case "failures":
            for _ in range(3):
                study.add(Status.FAILED, reason="no memory", log="Traceback\n")
        case "one":
            study.add()
        case "two objectives":
            for _ in range(15):
                study.add()
        case "folds":
            for _ in range(3):
                study.add(folds=3)
    file = write_report(study.folder)
    for view in (View(390), View(1400, "dark")):
        page = open_page(view)
        if kind == "none":  # nothing to draw
            page.goto(file.as_uri())
            page.get_by_text("No trial has ended yet.").wait_for()
        else:
            shown(page, file)
        assert too_wide(page) == []
        assert accessibility_faults(page) == []
    assert page_errors == []
