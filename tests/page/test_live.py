"""A run watched while it runs, through a reload and through losing the connection."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.page.looking import feed_rows, feed_texts, job_path
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page, Route

    from synapse_stream import RuntimeContext
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment


def test_a_run_is_watched_live(deployment: Deployment, visitor: Visitor) -> None:
    with deployment.open_run("watched", action="train") as ctx:
        ctx.log_message("The run begins")
        ctx.set_progress(0, 10, step="training")
        ctx.flush()
        deployment.wait_for_views("watched", "running")
        page = visitor.open(job_path("watched"))
        bar = page.get_by_label("Progress of training")
        expect(page.get_by_role("status").first).to_have_text("Live")
        expect(page.get_by_text("Alive")).to_be_visible()
        for epoch in range(1, 11):
            ctx.set_progress(epoch, 10, step="training")
            ctx.log_message(f"Epoch {epoch} is over", "success" if epoch > 5 else "info")
            ctx.log_dev_event(f"memory of epoch {epoch}", {"bytes": epoch})
            expect(bar).to_have_js_property("value", epoch * 10)
            expect(page.get_by_text(f"Epoch {epoch} is over")).to_be_visible()

        expect(page.get_by_text("memory of epoch")).to_have_count(0)
        page.get_by_role("switch", name="Dev events").check()
        expect(page.get_by_text("memory of epoch 10")).to_be_visible()
        ctx.log_dev_event("after the switch")
        expect(page.get_by_text("after the switch")).to_be_visible()
        page.get_by_role("switch", name="Dev events").uncheck()
        expect(page.get_by_text("memory of epoch")).to_have_count(0)

    expect(page.locator("#summary")).to_contain_text("Completed")
    expect(page.locator("#summary")).to_contain_text("complete")
    page.get_by_role("button", name="success").click()
    expect(feed_rows(page)).to_have_count(5)
    page.get_by_label("Search messages").fill("EPOCH 9")
    expect(feed_rows(page)).to_have_count(1)


def test_reload_and_network_loss_lose_and_repeat_nothing(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.expected = ("net::ERR_",)
    with _talking(deployment, "talkative") as said:
        page = visitor.open(job_path("talkative"))
        _see_new(page, said)
        page.route("**/messages?*", _late)
        page.reload()
        _see_new(page, said)
        page.unroute_all(behavior="wait")
        page.context.set_offline(True)
        expect(page.get_by_role("status").first).to_contain_text("Reconnecting")
        page.context.set_offline(False)
        _see_new(page, said)
        deployment.kill_api()
        expect(page.get_by_text("No connection: this is the state of")).to_be_visible()
        deployment.start_api()
        _see_new(page, said)

    expect(page.locator("#summary")).to_contain_text("Completed")
    expect(feed_rows(page).last).to_contain_text(said[-1])
    assert len(said) > 50
    assert feed_texts(page) == said
    expect(feed_rows(page).first).to_have_attribute("aria-setsize", str(len(said)))


def test_a_frozen_server_is_told_and_no_run_is_blamed(
    deployment: Deployment, visitor: Visitor, keep: Callable[[Page, str], None]
) -> None:
    with deployment.open_run("bystander", action="train") as ctx:
        ctx.set_progress(1, 4, step="training")
        ctx.log_message("before")
        ctx.flush()
        deployment.wait_for_views("bystander", "running")
        pages = [visitor.open(path) for path in (job_path("bystander"), "/?q=bystander")]
        for page in pages:
            page.clock.install()
            page.reload()
            expect(page.get_by_role("status").first).to_have_text("Live")
        with deployment.frozen_server():
            for page in pages:
                expect(page.get_by_text("The server that runs report to does not")).to_be_visible()
                page.clock.fast_forward("02:20")
                expect(page.get_by_role("status").first).to_contain_text("Server away since")
                expect(page.get_by_text("Silent")).to_have_count(0)
                expect(page.get_by_text("Lost", exact=True)).to_have_count(0)
            expect(pages[0].get_by_text("Alive")).to_be_visible()
            keep(pages[0], "server-away")
            keep(pages[1], "server-away-list")
            ctx.log_message("meanwhile")
        for page in pages:
            expect(page.get_by_text("The server that runs report to")).to_have_count(0)
            expect(page.get_by_role("status").first).to_have_text("Live")
        expect(pages[0].get_by_text("meanwhile")).to_be_visible()


def test_a_feed_that_is_scrolled_up_stays_where_it_is(
    deployment: Deployment, visitor: Visitor
) -> None:
    with _open_with_lines(deployment, visitor, "long", 1_500) as (ctx, page):
        page.locator(".feed-scroll").evaluate("feed => { feed.scrollTop = 4000; }")
        expect(page.get_by_role("button", name="Jump to newest")).to_be_visible()
        seen = _first_in_sight(page)
        ctx.log_message("a new one")
        expect(page.get_by_role("button", name="1 new")).to_be_visible()
        assert _first_in_sight(page) == seen

        page.locator(".feed-scroll").evaluate("feed => { feed.scrollTop = 0; }")
        expect(page.get_by_text("line 999", exact=True)).to_be_attached()  # of an earlier page
        assert _first_in_sight(page) == "line 1000"
        page.get_by_role("button", name="1 new").click()
        expect(page.get_by_text("a new one")).to_be_visible()
        assert feed_rows(page).count() < 100


def test_scrolling_up_just_when_the_feed_moves_to_its_end_ends_the_following(
    deployment: Deployment, visitor: Visitor
) -> None:
    with _open_with_lines(deployment, visitor, "bursts", 100) as (ctx, page):
        expect(page.get_by_role("status").first).to_have_text("Live")
        page.locator(".feed-scroll").evaluate(SCROLL_UP_AFTER_A_BURST)
        for number in range(500):
            ctx.log_message(f"burst {number}")
        ctx.flush()

        expect(page.get_by_role("button", name="Jump to newest")).to_be_visible()


# Right behind the drawing of many new rows, and still lower than where the end was before.
SCROLL_UP_AFTER_A_BURST = """feed => {
  let height = feed.scrollHeight;
  new MutationObserver((_, observer) => {
    const growth = feed.scrollHeight - height;
    height = feed.scrollHeight;
    if (growth < 400) return;
    feed.scrollTop -= 200;
    observer.disconnect();
  }).observe(feed, { subtree: true, childList: true, attributes: true });
}"""


@contextmanager
def _open_with_lines(
    deployment: Deployment, visitor: Visitor, job_id: str, count: int
) -> Iterator[tuple[RuntimeContext, Page]]:
    """Have a run say so many lines, and open its page at the last one; it goes on."""
    with deployment.open_run(job_id) as ctx:
        for number in range(count):
            ctx.log_message(f"line {number}")
        ctx.flush()
        deployment.wait_for_views(job_id, "running")
        page = visitor.open(job_path(job_id))
        expect(page.get_by_text(f"line {count - 1}", exact=True)).to_be_visible()
        yield ctx, page


@contextmanager
def _talking(deployment: Deployment, job_id: str) -> Iterator[list[str]]:
    """Have a job say something every few milliseconds; what it has said is in the list."""
    stop = threading.Event()
    said: list[str] = []

    def talk() -> None:
        with deployment.open_run(job_id) as ctx:
            while not stop.wait(0.02):
                said.append(f"message {len(said)}")
                ctx.log_message(said[-1])

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        deployment.wait_for_views(job_id, "running")
        yield said
    finally:
        stop.set()
        talking.join()


def _late(route: Route) -> None:
    """Have the browser get an answer when the stream has long sent what follows it, and more."""
    answer = route.fetch()
    time.sleep(0.5)
    route.fulfill(response=answer)


def _see_new(page: Page, said: list[str]) -> None:
    """Wait until the page shows what is said from now on."""
    number = len(said)
    newest = feed_rows(page).last
    expect(newest).to_be_visible()
    wait_until(lambda: int(newest.inner_text().rpartition(" ")[2]) > number, 60)


def _first_in_sight(page: Page) -> str:
    text: str = page.locator(".feed-scroll").evaluate(
        "feed => [...feed.querySelectorAll('[role=option]')].find("
        "row => row.getBoundingClientRect().top >= feed.getBoundingClientRect().top)"
        ".querySelector('.m-text').textContent"
    )
    return text
