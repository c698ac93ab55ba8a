"""The list of jobs: live, searched, long, by keyboard."""

from __future__ import annotations

import re
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from synapse_stream.log.feeds import FeedLog
from tests.page.looking import violations
from tests.page.measured import report
from tests.support.chains import Chain
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_MANY = 260


@pytest.fixture(scope="package")
def many(deployment: Deployment) -> None:
    """Have more jobs than the page asks for at once."""
    for number in range(_MANY):
        with deployment.open_run(f"many-{number:04d}", action="bulk") as ctx:
            ctx.set_progress(1, 1)
    deployment.wait_for_views(f"many-{_MANY - 1:04d}")


def test_jobs_appear_and_change_live(deployment: Deployment, visitor: Visitor) -> None:
    page = visitor.open("/")
    expect(page.get_by_role("status").first).to_have_text("Live")
    with deployment.open_run("newcomer", action="train", labels={"team": "vision"}) as ctx:
        ctx.set_progress(1, 4, step="training")
        row = page.get_by_role("row").filter(has_text="newcomer")
        expect(row).to_contain_text("Running")
        expect(row).to_contain_text("team=vision")
        ctx.set_progress(2, 4, step="training")
        expect(row.get_by_role("progressbar")).to_have_js_property("value", 50)
        ctx.set_progress(3, 4, step="training")
        expect(row.get_by_role("progressbar")).to_have_js_property("value", 75)
    expect(row).to_contain_text("Completed")


@pytest.mark.usefixtures("many")
def test_a_long_list_holds_few_rows_and_all_jobs(visitor: Visitor) -> None:
    page = visitor.open("/?action=bulk&q=many-")
    expect(page.get_by_role("link", name=f"many-{_MANY - 1:04d}")).to_be_visible()
    # What is at the bottom moves down while more is loaded: scroll until the oldest is there.
    page.wait_for_function(
        """() => {
            const list = document.querySelector(".jobs-scroll");
            list.scrollTop = list.scrollHeight;
            return list.innerText.includes("many-0000");
        }"""
    )
    expect(page.get_by_role("link", name="many-0000")).to_be_visible()
    expect(page.locator("#job-count")).to_have_text(str(_MANY))
    assert page.get_by_role("row").count() < 80


@pytest.mark.usefixtures("many")
def test_search_and_filters_stand_in_the_address(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("/")
    page.keyboard.type("many-001")
    expect(page.locator("#job-count")).to_have_text("10")
    page.get_by_label("Status").select_option("completed")
    expect(page).to_have_url(re.compile(r"/\?status=completed&q=many-001$"))
    page.reload()
    expect(page.locator("#job-count")).to_have_text("10")
    page.get_by_label("Status").select_option("failed")
    expect(page.get_by_text("No job matches.")).to_be_visible()


@pytest.mark.usefixtures("many")
def test_a_job_is_opened_and_left_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("/?action=bulk&q=many-")
    expect(page.get_by_role("link", name=f"many-{_MANY - 1:04d}")).to_be_visible()
    for key in ("j", "j", "ArrowDown", "k", "x"):
        page.keyboard.press(key)
    expect(page.get_by_role("link", name=f"many-{_MANY - 2:04d}")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    expect(page.get_by_role("link", name="Compare 2")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"many-{_MANY - 3:04d}")
    page.go_back()
    expect(page.locator("#job-count")).to_have_text(re.compile(r"200\+|260"))


def is_later(log: FeedLog, than_ms: int) -> bool:
    return log.now_ms() > than_ms


def test_the_list_has_the_order_of_the_api_whatever_the_clocks_of_plugins_say(
    deployment: Deployment, visitor: Visitor
) -> None:
    day = 24 * 3600 * 1_000_000
    with closing(FeedLog.open(deployment.settings)) as log:
        now = int(time.time() * 1e6)
        for number, ahead in enumerate((0, day, -day, 0, 2 * day)):
            started = {"type": "run_started", "rank": 0, "action": "clocks", "time": now + ahead}
            ended = {"type": "end", "status": "completed"}
            log.append(Chain(f"clock-{number}").add(started, ended))
            before = log.now_ms()
            wait_until(partial(is_later, log, before))
    deployment.wait_for_views("clock-4")
    expected = [f"clock-{number}" for number in reversed(range(5))]
    listed = httpx.get(f"{deployment.url}/api/jobs?action=clocks").json()["jobs"]

    page = visitor.open("/?action=clocks")
    expect(page.get_by_role("link", name="clock-0")).to_be_visible()

    assert [job["job_id"] for job in listed] == expected
    assert page.locator(".c-job a").all_inner_texts() == expected


@pytest.mark.usefixtures("many")
def test_rows_stay_where_they_are_when_runs_arrive_while_one_reads(
    deployment: Deployment, visitor: Visitor, keep: Callable[[Page, str], None]
) -> None:
    page = visitor.open("/?action=bulk")
    first = page.get_by_role("link", name=f"many-{_MANY - 1:04d}")
    expect(first).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("Live")
    page.get_by_role("row").nth(3).hover()
    place = first.bounding_box()
    for number in range(12):
        with deployment.open_run(f"arrived-{number:02d}", action="bulk") as ctx:
            ctx.set_progress(1, 1)
    fresh = page.get_by_role("button", name="12 new")
    expect(fresh).to_be_visible()
    keep(page, "jobs-new-light")

    assert first.bounding_box() == place
    assert violations(page) == []
    expect(page.get_by_role("link", name="arrived-11")).to_have_count(0)
    fresh.click()
    expect(page.get_by_role("link", name="arrived-11")).to_be_visible()
    expect(page.locator("#job-fresh button")).to_have_count(0)
    page.mouse.move(5, 5)
    with deployment.open_run("arrived-last", action="bulk") as ctx:
        ctx.set_progress(1, 1)
    expect(page.get_by_role("link", name="arrived-last")).to_be_visible()


def test_runs_are_found_by_what_they_have(
    deployment: Deployment, visitor: Visitor, keep: Callable[[Page, str], None]
) -> None:
    for number, lr in enumerate((0.1, 0.2)):
        report(deployment, f"found-{number}", [{"loss": lr}, {"loss": 1}], params={"lr": lr})
    visitor.expected = ("422",)
    page = visitor.open("/")
    field = page.get_by_label("Filter by what runs have")
    field.fill("job LIKE 'found-%' AND metrics.loss.min < 0.15")
    expect(page.locator(".c-job a")).to_have_text(["found-0"])
    expect(page.locator(".c-job .chip").first).to_have_text("metrics.loss.min 0.1")
    assert "filter=job+LIKE" in page.url

    report(deployment, "found-2", [{"loss": 0.05}])
    page.mouse.move(0, 0)
    expect(page.locator(".c-job a")).to_have_text(["found-2", "found-0"])
    assert violations(page) == []
    keep(page, "jobs-filtered")
    field.fill("loss < 1")
    expect(page.get_by_text("there is no field 'loss'")).to_be_visible()
