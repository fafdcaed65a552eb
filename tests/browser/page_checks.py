"""What is expected of every web page of ours, as lists of faults: an empty list is a good page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class View:
    """How a page is looked at: the width of the window in CSS pixels, and the colour scheme."""

    width: int = 1400
    scheme: Scheme = "light"
    height: int = 900

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


VIEWS = [View(width, scheme) for width in (390, 768, 1400) for scheme in ("light", "dark")]
"""A telephone, a tablet and a laptop, light and dark."""

OpenPage = Callable[..., Page]
"""The fixture ``open_page``: a page in a window that is a :class:`View`."""

_TOO_WIDE = """
() => {
  const width = document.documentElement.clientWidth;
  const clips = (node) => getComputedStyle(node).overflowX !== 'visible';
  const scrolled = (node) => {
    // what a part of the page scrolls or cuts widens the part, not the page
    for (let above = node.parentElement; above; above = above.parentElement)
      if (above !== document.body && above !== document.documentElement && clips(above))
        return true;
    return false;
  };
  const named = (node) =>
    node.tagName.toLowerCase() + (node.id ? '#' + node.id : '')
    + [...node.classList].map((name) => '.' + name).join('');
  const found = [];
  for (const node of document.body.querySelectorAll('*')) {
    const box = node.getBoundingClientRect();
    // what lies wholly to the left of the page can be neither seen nor scrolled to
    const reaches = box.right > width + 1 || (box.left < -1 && box.right > 0);
    if (box.width > 0 && reaches && !scrolled(node))
      found.push(`${named(node)} reaches from ${Math.round(box.left)} to `
        + `${Math.round(box.right)} of ${width} pixels`);
  }
  const scroll = document.documentElement.scrollWidth;
  if (scroll > width) found.push(`the page scrolls sideways: ${scroll} of ${width} pixels`);
  return found;
}
"""


def too_wide(page: Page) -> list[str]:
    """Elements that reach beyond the window, but for those inside a part that scrolls by itself."""
    return list(page.evaluate(_TOO_WIDE))


def accessibility_faults(
    page: Page, impacts: tuple[str, ...] = ("serious", "critical")
) -> list[str]:
    """What axe-core finds: rule, what it says, and the selectors of the elements.

    axe-core calls the impact of a fault minor, moderate, serious or critical.
    """
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {one['help']}: "
        + ", ".join(" ".join(map(str, node["target"])) for node in one["nodes"])
        for one in violations
        if one["impact"] in impacts
    ]
