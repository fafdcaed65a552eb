"""A real Chromium without a window, and pages in it.

A test takes ``page`` and, for what went wrong in it, ``page_errors``; other windows than that of a
laptop are asked for by ``@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=str)``, with
``VIEWS`` and the checks of ``page_checks.py``. No test sleeps: Playwright waits for elements.
"""

import shutil
from collections.abc import Iterator

import pytest
from page_checks import OpenPage, View
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A page that needs the internet would work here and not on a machine without it
LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
ELEMENT_SECONDS = 60
"""Playwright waits as long for an element: many times what a slow, busy machine takes."""


# Of a module, not of the session: while it runs there is an event loop in the main thread, where
# other tests of this process may want one of their own
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(PROGRAMS)} is on PATH")
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses root; the pages here are our own
        launched = playwright.chromium.launch(
            executable_path=program, args=[LOOPBACK_ALONE], chromium_sandbox=False
        )
        try:
            yield launched
        finally:
            launched.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What went wrong in the pages of the test: errors of the console, exceptions, requests."""
    return []


@pytest.fixture
def open_page(browser: Browser, page_errors: list[str]) -> Iterator[OpenPage]:
    """Open pages by ``open_page(View(...))``, each in a profile of its own."""
    contexts = []

    def opened(view: View = View()) -> Page:  # noqa: B008 - it is frozen
        context = browser.new_context(
            viewport={"width": view.width, "height": view.height},
            color_scheme=view.scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(ELEMENT_SECONDS * 1000)
        page = context.new_page()
        _collect(page, page_errors)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage, request: pytest.FixtureRequest) -> Page:
    """An empty page in a window as wide as a laptop's, or as the test's parameter says."""
    return open_page(getattr(request, "param", View()))


def _collect(page: Page, errors: list[str]) -> None:
    page.on(
        "console",
        lambda said: errors.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: errors.append(f"exception: {error}"))
    page.on("requestfailed", lambda asked: errors.append(f"request: {asked.url}"))
