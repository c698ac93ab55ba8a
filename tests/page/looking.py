"""What a test wants to know of a page that only its scripts can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_READ_ALL = """async (scroller) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const found = new Map();
  do {
    scroller.scrollTop = 0;
    await frame();
  } while (scroller.querySelector('[aria-setsize="-1"]'));
  for (let top = 0; ; top += scroller.clientHeight) {
    scroller.scrollTop = top;
    await frame();
    for (const row of scroller.querySelectorAll('[role=option]')) {
      const place = row.getBoundingClientRect().top + scroller.scrollTop;
      found.set(row.id, [place, row.querySelector('.m-text').textContent]);
    }
    if (scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 1) break;
  }
  return [...found.values()].sort(([a], [b]) => a - b).map(([, text]) => text);
}"""


def job_path(job_id: str) -> str:
    """Return the path of a job's page."""
    return f"/job?id={quote(job_id, safe='')}"


def feed_rows(page: Page) -> Locator:
    """Return the rows of the message feed that are in the document."""
    return page.get_by_role("listbox", name="Messages").get_by_role("option")


def feed_texts(page: Page) -> list[str]:
    """Scroll through the whole message feed; return the text of every row, in the page's order."""
    texts: list[str] = page.locator(".feed-scroll").evaluate(_READ_ALL)
    return texts


def violations(page: Page) -> list[str]:
    """Have axe-core look at the page as it is; return what it finds, with the elements."""
    page.evaluate(_AXE.read_text())  # evaluated by the browser itself, so the page's policy holds
    found: dict[str, Any] = page.evaluate("axe.run({rules: {'target-size': {enabled: true}}})")
    return [
        f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
