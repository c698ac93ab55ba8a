"""Nothing on the page misleads: numbers as the command line has them, dates of other days."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from synapse_stream.cli.shared.tables import percent, span
from synapse_stream.log.feeds import FeedLog
from tests.page.looking import feed_rows, job_path, violations
from tests.support.chains import Chain
from tests.support.events import START, ended, message, metrics, progress, started

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_SECONDS = [0, 0.0004, 0.04, 0.9999, 1, 9.97, 12.6, 59.99, 60, 200.5, 3_599.9, 3_600, 90_061, 1e7]
_SHARES = [0, 0.04, 7, 12.55, 16.1, 34.97, 99.9, 99.999, 100]
_FORMATS = """async ([seconds, shares]) => {
  const { duration, percent } = await import(new URL("static/js/lib/format.js", document.baseURI));
  return [seconds.map(duration), shares.map(percent)];
}"""


@pytest.fixture(scope="package")
def yesterday(deployment: Deployment) -> str:
    """Have a run of another day that failed in its second step, and never heard of its third."""
    chain = Chain("yesterday")
    told = [
        started(at=0),
        progress(5, 5, "load", at=1),
        *(progress(n, 10, "train", at=n) for n in (2, 4)),
        metrics({"b": 1, "a": 2}, step="train", at=4),
        message("of another day", at=4),
        ended("failed", error="ValueError: no data", at=5),
    ]
    with closing(FeedLog.open(deployment.settings)) as log:
        log.append(chain.add(*told))
    deployment.wait_for_views("yesterday", "failed")
    return "yesterday"


def test_numbers_are_rounded_as_on_the_command_line(visitor: Visitor) -> None:
    page = visitor.open("/")

    durations, shares = page.evaluate(_FORMATS, [_SECONDS, _SHARES])

    assert durations == [span(seconds) for seconds in _SECONDS]
    assert shares == [percent(share).replace(" ", "") for share in _SHARES]


def test_a_failed_run_of_another_day_looks_failed_and_of_that_day(
    visitor: Visitor, keep: Callable[[Page, str], None], yesterday: str
) -> None:
    page = visitor.open(job_path(yesterday), color_scheme="dark")
    expect(page.locator("#summary")).to_contain_text("Failed")

    day = time.strftime("%b", time.localtime(START / 1e6))
    expect(feed_rows(page).first.locator(".m-time")).to_contain_text(day)
    expect(page.locator("#summary .figures")).to_contain_text(day)
    expect(page.get_by_label("Progress of train")).to_have_class("bad")
    expect(page.get_by_label("Progress of load")).to_have_class("good")
    expect(page).to_have_title("Failed yesterday · Synapse Stream")
    icon = page.locator("link[rel=icon]").get_attribute("href")
    assert icon is not None
    assert "c9372c" in icon
    expect(page.locator(".chart-group h4")).to_have_text(["a", "b"])
    expect(page.get_by_role("status").first).to_have_text("Run over")
    assert violations(page) == []
    keep(page, "failed-of-another-day")


_SAID = """
  globalThis.said = new Set();
  const say = () => said.add(document.getElementById("connection")?.textContent.trim() ?? "");
  const all = { subtree: true, childList: true, characterData: true };
  new MutationObserver(say).observe(document, all);
"""


def test_a_run_that_is_over_when_it_is_opened_is_never_called_live(
    visitor: Visitor, deployment: Deployment
) -> None:
    with deployment.open_run("just-over") as ctx:
        ctx.log_message("the last word")
    deployment.wait_for_views("just-over")
    page = visitor.open(job_path("just-over"), init=_SAID)

    expect(page.get_by_text("the last word")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("Run over")
    expect(page.locator("#summary [title*='how many events it reported']")).to_have_text("complete")
    assert set(page.evaluate("[...said]")) <= {"", "Connecting", "Run over"}


def test_bars_are_seen_in_colours_of_the_readers_own(
    visitor: Visitor, keep: Callable[[Page, str], None], yesterday: str
) -> None:
    page = visitor.open(job_path(yesterday), forced_colors="active", width=360)
    bar = page.get_by_label("Progress of load")
    expect(bar).to_be_visible()

    assert bar.screenshot() != page.get_by_label("Progress of train").screenshot()
    assert violations(page) == []
    keep(page, "forced-colours")
