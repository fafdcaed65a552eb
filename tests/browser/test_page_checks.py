"""The checks of web pages find what they look for, and nothing in a good page."""

import pytest
from page_checks import VIEWS, OpenPage, View, accessibility_faults, too_wide
from playwright.sync_api import Page

GOOD = """<!doctype html><html lang="en"><head><title>Good</title><meta name="viewport"
content="width=device-width"><style>:root { color-scheme: light dark }</style></head>
<body><main><h1>A page</h1><p>Text.</p>%s</main></body></html>"""


@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=str)
def test_a_good_page_has_no_faults(page: Page, page_errors: list[str]) -> None:
    scrolls = '<div style="overflow-x: auto" tabindex="0"><div style="width: 2000px">.</div></div>'
    page.set_content(GOOD % scrolls)
    assert page_errors == []
    assert too_wide(page) == []
    assert accessibility_faults(page) == []


def test_errors_of_scripts_and_requests_are_collected(page: Page, page_errors: list[str]) -> None:
    page.set_content(
        GOOD % "<script>console.error('said'); console.log('no error')</script>"
        "<script>throw new Error('raised')</script>"
        "<img alt='far' src='https://example.org/picture.png'>"
    )
    assert "console: said" in page_errors
    assert "exception: raised" in page_errors
    assert "request: https://example.org/picture.png" in page_errors
    assert not any("no error" in one for one in page_errors)


def test_what_is_wider_than_the_window_is_named(open_page: OpenPage) -> None:
    wide = '<p id="long" class="a b" style="width: 600px">.</p>'
    for width, faults in ((390, 2), (768, 0)):
        page = open_page(View(width))
        page.set_content(GOOD % wide)
        found = too_wide(page)
        assert len(found) == faults
        assert not found or found[0].startswith("p#long.a.b reaches from 8 to 608 of 390")


def test_serious_faults_of_accessibility_are_named(open_page: OpenPage) -> None:
    dim = '<p id="dim" style="color: #ccc; background: #fff">Pale.</p>'
    dark = "<style>@media (prefers-color-scheme: dark) { #dim { background: #000 !important } }"
    for scheme, faults in (("light", 1), ("dark", 0)):
        page = open_page(View(scheme=scheme))
        page.set_content(GOOD % (dim + dark + "</style>"))
        found = accessibility_faults(page)
        assert len(found) == faults
        assert not found or found[0].startswith("serious color-contrast:")
        assert not found or found[0].endswith(": #dim")
