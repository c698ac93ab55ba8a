"""Many tabs of one browser: they share a connection, and ended runs need none."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from tests.page.looking import job_path
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

TABS = 7
NO_WORKER = "delete globalThis.SharedWorker;"
NOTHING_SHARED = f"{NO_WORKER} delete globalThis.BroadcastChannel;"


def streams(deployment: Deployment) -> float:
    """Return how many live streams the API has."""
    text = httpx.get(f"{deployment.url}/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("synapse_stream_live_clients")]
    return float(lines[0].split()[1])


def connections(deployment: Deployment) -> int:
    """Return how many connections the API has that carry live streams."""
    text = httpx.get(f"{deployment.url}/metrics").text
    name = "synapse_stream_live_connections"
    return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith(name))))


@pytest.mark.parametrize("without", ["", NO_WORKER], ids=["worker", "leader"])
def test_seven_tabs_share_one_connection(
    deployment: Deployment, visitor: Visitor, without: str
) -> None:
    kind = "leader" if without else "worker"
    with ExitStack() as stack:
        runs = [
            stack.enter_context(deployment.open_run(f"tab-{kind}-{number}"))
            for number in range(TABS - 1)
        ]
        for number, run in enumerate(runs):
            run.log_message(f"begin {number}")
            run.flush()
            deployment.wait_for_views(f"tab-{kind}-{number}", "running")
        first = visitor.open("/", init=without)
        others = [
            visitor.tab(first, job_path(f"tab-{kind}-{number}")) for number in range(TABS - 1)
        ]
        for page in (first, *others):
            expect(page.get_by_role("status").first).to_have_text("Live")
        wait_until(lambda: (connections(deployment), streams(deployment)) == (1, TABS))
        for number, (run, page) in enumerate(zip(runs, others, strict=True)):
            run.log_message(f"line of {number}")
            expect(page.get_by_text(f"line of {number}")).to_be_visible()
        expect(first.get_by_role("row").filter(has_text=f"tab-{kind}-0")).to_contain_text("Running")

        first.close()
        others[0].close()
        wait_until(lambda: (connections(deployment), streams(deployment)) == (1, TABS - 2))
        runs[3].log_message("after others have left")
        expect(others[3].get_by_text("after others have left")).to_be_visible()
        for page in others[1:]:
            page.close()
        wait_until(lambda: connections(deployment) == 0)


def test_a_browser_that_can_share_nothing_follows_all_the_same(
    deployment: Deployment, visitor: Visitor
) -> None:
    with deployment.open_run("alone") as ctx:
        ctx.flush()
        deployment.wait_for_views("alone", "running")
        page = visitor.open(job_path("alone"), init=NOTHING_SHARED)
        expect(page.get_by_role("status").first).to_have_text("Live")
        ctx.log_message("is seen")
        expect(page.get_by_text("is seen")).to_be_visible()


def test_a_run_that_has_ended_holds_no_stream_and_is_followed_when_it_begins_anew(
    deployment: Deployment, visitor: Visitor
) -> None:
    with deployment.open_run("over") as ctx:
        ctx.log_message("first attempt")
    deployment.wait_for_views("over")
    page = visitor.open(job_path("over"))
    expect(page.get_by_text("first attempt")).to_be_visible()
    wait_until(lambda: connections(deployment) == 0, 90)
    expect(page.get_by_role("status").first).to_have_text("Run over")

    with deployment.open_run("over") as ctx:
        ctx.log_message("second attempt")
        ctx.flush()
        expect(page.get_by_text("second attempt")).to_be_visible(timeout=90_000)
        ctx.log_message("and on")
        expect(page.get_by_text("and on")).to_be_visible()


HOLD = """
  const { postMessage } = MessagePort.prototype;
  const held = [];
  MessagePort.prototype.postMessage = function (...given) {
    if (globalThis.isReleased) postMessage.apply(this, given);
    else held.push(() => postMessage.apply(this, given));
  };
  globalThis.release = () => {
    globalThis.isReleased = true;
    for (const send of held) send();
  };
"""


def test_a_stream_that_begins_behind_what_the_charts_have_leaves_no_gap(
    deployment: Deployment, visitor: Visitor
) -> None:
    with deployment.open_run("late-stream") as ctx:
        for x in range(50):
            ctx.set_metrics({"loss": 1 / (x + 1)}, x=x)
        ctx.flush()
        deployment.wait_for_views("late-stream", "running")
        page = visitor.open(job_path("late-stream"), init=HOLD)
        notes = page.locator(".chart-notes")
        expect(notes).to_have_text("50 points")
        for x in range(50, 80):
            ctx.set_metrics({"loss": 1 / (x + 1)}, x=x)
        ctx.flush()
        page.evaluate("release()")  # only now it connects
        expect(notes).to_have_text("80 points")
        ctx.set_metrics({"loss": 0.0}, x=80)
        expect(notes).to_have_text("81 points")
