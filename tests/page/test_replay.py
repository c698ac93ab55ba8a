"""Replay: the page shows a run as it was."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from synapse_stream.log.event_log import open_log
from tests.support.chains import Chain
from tests.support.jobs import STARTED, TIME, message, metrics

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

POINTS = 40
SHARE_US = 25_000
SEEN = """button => {
  const notes = document.querySelector(".chart-notes");
  const seen = { buttons: [], notes: [] };
  const note = (all, text) => text !== all.at(-1) && all.push(text);
  const look = () => {
    note(seen.buttons, button.ariaLabel);
    note(seen.notes, notes.textContent);
  };
  look();
  const options = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(look).observe(document.body, options);
  return seen;
}"""


@pytest.fixture(scope="package")
def film(deployment: Deployment) -> str:
    """Have a run of a second whose points lie equally far from each other."""

    def at(share: int, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "time": TIME + share * SHARE_US}

    points = [at(x + 1, {**metrics(loss=1 / (x + 1)), "x": x}) for x in range(POINTS)]
    warning = at(POINTS // 2, message("Half of it", level="warning"))
    end = {"type": "end", "status": "completed", "rank": 0, "count": POINTS + 3}
    chain = Chain("film")
    with closing(open_log(deployment.settings)) as log:
        for event in (at(0, STARTED), *points, warning, at(POINTS + 1, end)):
            log.append(chain.add(event))
    deployment.wait_for_views("film")
    return "film"


def open_film(visitor: Visitor, film: str) -> Page:
    page = visitor.open(f"/job?id={film}")
    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    return page


def test_the_slider_shows_the_charts_as_they_were(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    slider = page.get_by_role("slider", name="Moment of the run")
    expect(slider).to_have_attribute("aria-valuetext", "end")

    slider.fill("500")

    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS // 2} points")
    expect(page).to_have_url(re.compile(r"at=\d+-\d+\.\d+"))
    slider.press("Home")
    expect(page.locator(".chart-notes")).to_have_text("no points yet")


def test_the_end_returns_to_all(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    page.get_by_role("slider", name="Moment of the run").fill("300")
    expect(page.locator(".chart-notes")).not_to_have_text(f"{POINTS} points")

    page.get_by_role("button", name="End", exact=True).click()

    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    expect(page).not_to_have_url(re.compile("at="))


def test_playing_runs_to_the_end_and_stops(visitor: Visitor, film: str) -> None:
    page = open_film(visitor, film)
    page.get_by_label("Speed").select_option("1")
    page.get_by_role("slider", name="Moment of the run").fill("0")
    expect(page.locator(".chart-notes")).to_have_text("no points yet")
    play = page.get_by_role("button", name="Play")
    seeing = play.evaluate_handle(SEEN)

    play.click()

    expect(page.locator(".chart-notes")).to_have_text(f"{POINTS} points")
    seen = seeing.json_value()
    assert seen["buttons"] == ["Play", "Pause", "Play"]
    assert seen["notes"][0] == "no points yet"
    counts = [int(note.split()[0]) for note in seen["notes"][1:]]
    assert counts == sorted(counts)


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


def test_warnings_that_a_lagging_feed_lacks_are_marked_later(
    visitor: Visitor, deployment: Deployment, film: str
) -> None:
    page = visitor.open("/")
    warnings = re.compile(r"/messages\?level=warning.*limit=300$")
    lagging: dict[str, Any] = {"messages": [], "position": None, "has_more": False}
    page.route(warnings, lambda route: route.fulfill(json=lagging), times=1)

    page.goto(f"{deployment.url}/job?id={film}")

    expect(page.locator(".mark-warning")).to_have_count(1)
