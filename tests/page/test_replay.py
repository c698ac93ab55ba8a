"""Replay: the page shows a run as it was."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.page.measured import wait_for_points

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

POINTS = 40
PAUSE_SECONDS = 0.02  # the run needs a length that can be replayed


@pytest.fixture(scope="module")
def film(deployment: Deployment) -> str:
    with deployment.open_run("film") as ctx:
        for x in range(POINTS):
            ctx.set_metrics({"loss": 1 / (x + 1)}, x=x)
            if x == POINTS // 2:
                ctx.log_message("Half of it", context="warning")
            ctx.flush()
            time.sleep(PAUSE_SECONDS)
    deployment.wait_for_views("film")
    wait_for_points(deployment, "film", POINTS)
    return "film"


def open_film(visitor: Visitor, film: str) -> Page:
    page = visitor.open(f"/job?id={film}")
    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    return page


def shown(page: Page) -> int:
    text = page.locator(".chart-notes").inner_text()
    return int(found[0]) if (found := re.match(r"\d+", text)) else 0


def test_the_slider_shows_the_charts_as_they_were(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    slider = page.get_by_role("slider", name="Moment of the run")
    expect(slider).to_have_attribute("aria-valuetext", "live")

    slider.fill("500")

    expect(page.locator(".chart-notes")).not_to_have_text(f"{POINTS} points")
    expect(page).to_have_url(re.compile(r"at=\d+-\d+\.\d+"))
    assert POINTS / 5 < shown(page) < POINTS * 4 / 5
    slider.press("Home")
    expect(page.locator(".chart-notes")).to_have_text(re.compile("^(no points yet|[123] point)"))


def test_live_returns_to_all(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    page.get_by_role("slider", name="Moment of the run").fill("300")
    expect(page.locator(".chart-notes")).not_to_have_text(f"{POINTS} points")

    page.get_by_role("button", name="Live", exact=True).click()

    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    expect(page).not_to_have_url(re.compile("at="))


def test_playing_runs_to_the_end_and_stops(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    page.get_by_label("Speed").select_option("1")
    page.get_by_role("slider", name="Moment of the run").fill("0")

    page.get_by_role("button", name="Play").click()

    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    seen = []
    while page.get_by_role("button", name="Pause").is_visible():
        seen.append(shown(page))
    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    assert seen == sorted(seen)


def test_marks_show_where_attempts_begin_and_end_and_what_was_warned_of(
    visitor: Visitor, film: str
) -> None:
    page = open_film(visitor, film)
    marks = page.locator(".replay-mark")

    expect(marks).to_have_count(3)
    titles = marks.locator("title").all_text_contents()
    assert titles == ["Half of it", "attempt 1 starts", "attempt 1: completed"]
    places = [
        float(place or 0)
        for place in marks.evaluate_all("all => all.map(e => e.getAttribute('x1'))")
    ]
    assert places[1] < places[0] < places[2]
