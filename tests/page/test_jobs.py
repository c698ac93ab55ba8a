"""The list of jobs: live, searched, long, by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
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
    page = visitor.open("/?action=bulk")
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
    page = visitor.open("/?action=bulk")
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
