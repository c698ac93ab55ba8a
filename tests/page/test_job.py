"""What a run's page has beside charts: its error, timeline and files, and a message in detail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.looking import feed_rows, job_path, violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_COPIED = """
  Object.defineProperty(navigator, "clipboard", {
    value: { writeText: async (text) => { globalThis.copied = text; } },
  });
"""


def _raise() -> None:
    msg = "the last batch has no labels"
    raise ValueError(msg)


@pytest.fixture(scope="package")
def told(deployment: Deployment) -> str:
    """Have a failed run of two ranks with actions, steps, a checkpoint and coloured messages."""

    def run() -> None:
        with deployment.open_run("told", attempt=1) as ctx:
            with deployment.open_run("told", rank=1, attempt=1) as other:
                other.set_progress(1, 2, step="fit")
            with ctx.action("load"):
                ctx.set_progress(3, 3, step="read")
            with ctx.action("train"):
                ctx.set_progress(2, 2, step="fit")
                ctx.log("checkpoint", {"step": 10}, file="out/checkpoint-10")
            ctx.log_message("\x1b[31mred \x1b[1;38;5;40mgreen\x1b[0m plain", "warning")
            for number in range(60):
                ctx.log_message(f"line {number}")
            _raise()

    with pytest.raises(ValueError, match="no labels"):
        run()
    deployment.wait_for_views("told", "failed")
    return job_path("told")


def test_a_traceback_opens_where_the_error_was_raised_and_is_copied_whole(
    visitor: Visitor, told: str
) -> None:
    page = visitor.open(told, init=_COPIED)
    frame = page.get_by_label("Where it was raised")
    expect(frame).to_contain_text("in _raise")
    expect(frame).not_to_contain_text("in run")
    error = page.get_by_role("region", name="Error")
    expect(error.get_by_text("in run")).to_be_hidden()
    error.get_by_text("1 frame before").click()
    expect(error.get_by_text("in run")).to_be_visible()

    error.get_by_role("button", name="Copy").click()
    expect(error.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("copied")
    assert copied.startswith("ValueError: the last batch")
    assert "in run" in copied


def test_actions_and_steps_stand_on_a_timeline_with_a_bar_a_rank(
    visitor: Visitor, keep: Callable[[Page, str], None], told: str
) -> None:
    page = visitor.open(told, color_scheme="dark")
    page.locator("#timeline summary").click()
    drawing = page.get_by_role("img", name="Bars of 4 actions and steps")
    assert drawing.locator("text.name title").all_text_contents() == [
        "load",
        "train",
        "fit",
        "read",
    ]
    bars = drawing.locator("rect")
    expect(bars).to_have_count(5)
    assert bars.locator("title").all_text_contents()[2].startswith("fit, rank ")
    keep(page, "timeline-dark")
    page.reload()
    expect(drawing).to_be_visible()
    assert violations(page) == []


def test_files_have_a_panel_of_their_own(visitor: Visitor, deployment: Deployment) -> None:
    with deployment.open_run("files") as ctx:
        ctx.log("checkpoint", {"step": 10}, file="out/checkpoint-10")
        ctx.flush()
        deployment.wait_for_views("files", "running")
        page = visitor.open(job_path("files"))
        rows = page.get_by_role("region", name="Files").locator("tbody th")
        expect(rows).to_have_text(["out/checkpoint-10"])
        expect(page.get_by_role("status").first).to_have_text("Live")
        ctx.log("checkpoint", {"step": 20}, file="out/checkpoint-20")
        expect(rows).to_have_text(["out/checkpoint-20", "out/checkpoint-10"])


def test_colours_of_a_terminal_are_shown_and_nothing_else_of_it(
    visitor: Visitor, keep: Callable[[Page, str], None], told: str
) -> None:
    for scheme in ("light", "dark"):
        page = visitor.open(told, color_scheme=scheme)
        page.get_by_role("button", name="warning").click()
        expect(feed_rows(page)).to_have_count(1)
        text = feed_rows(page).first.locator(".m-text")
        expect(text).to_have_text("red green plain")
        expect(text.locator(".ansi-red")).to_have_text("red ")
        expect(text.locator(".ansi-green.ansi-bold")).to_have_text("green")
        assert violations(page) == []
        keep(page, f"told-{scheme}")


def test_a_message_has_a_link_and_what_stands_around_it(
    visitor: Visitor, deployment: Deployment, told: str
) -> None:
    page = visitor.open(told)
    page.get_by_label("Search messages").fill("line 30")
    expect(feed_rows(page)).to_have_count(1)
    feed_rows(page).first.click()
    page.get_by_role("button", name="Show 20 lines around it").click()
    around = page.get_by_label("Messages around it").get_by_role("listitem")
    expect(around).to_have_count(41)
    expect(around.nth(20)).to_be_in_viewport()
    expect(page.locator(".detail-context .is-it")).to_contain_text("line 30")

    page.goto(page.url)
    expect(page.locator(".detail-text").first).to_have_text("line 30")
    expect(around).to_have_count(41)
    assert violations(page) == []


def test_messages_are_taken_away_as_plain_text(visitor: Visitor, told: str) -> None:
    page = visitor.open(told)
    with page.expect_download() as begun:
        page.get_by_role("button", name="Messages (text)").click()
    lines = Path(begun.value.path()).read_text().splitlines()
    assert len(lines) == 61
    assert lines[0].endswith("Z warning [rank 0, attempt 1] red green plain")


def test_on_a_narrow_page_charts_come_before_messages(visitor: Visitor, told: str) -> None:
    page = visitor.open(told, width=360)
    expect(feed_rows(page).last).to_be_visible()
    charts, feed, facts = (
        page.locator(selector).bounding_box() for selector in ("#charts", "#feed", "#facts")
    )
    assert charts
    assert feed
    assert facts
    assert charts["y"] < feed["y"] < facts["y"]
