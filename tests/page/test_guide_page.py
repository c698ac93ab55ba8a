"""The page of the guide for UI developers shows a run live, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "pages.md").read_text()


def test_the_page_of_the_guide_shows_a_run_live(visitor: Visitor, deployment: Deployment) -> None:
    found = re.search(r"```html\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) == 40
    visitor.expected = ("404",)  # a browser asks for an icon
    with deployment.open_run("mine") as ctx:
        ctx.log_message("<b>first</b>")
        ctx.set_progress(1, 4, step="fit")
        page = visitor.open("/healthz")
        page.route(
            "**/mine.html*", lambda route: route.fulfill(body=found[1], content_type="text/html")
        )
        page.goto(f"{deployment.url}/mine.html?job=mine")
        expect(page.get_by_role("heading", name="mine")).to_be_visible()
        expect(page.get_by_text("info: <b>first</b>")).to_be_visible()
        ctx.set_metrics({"loss": 0.25}, step="fit")
        ctx.log_message("second", "warning")
        expect(page.get_by_text("warning: second")).to_be_visible()
        expect(page.get_by_text("0.25")).to_be_visible()
    expect(page.get_by_text("completed")).to_be_visible()
