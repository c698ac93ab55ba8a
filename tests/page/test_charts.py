"""Charts in a real browser: what is drawn is what was reported."""

from __future__ import annotations

import math
import random
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.page.measured import report

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

TIMES, MINUS = "\u00d7", "\u2212"
POINTS = 3_000
SPIKE_AT, SPIKE = 1_234, 9.0


@pytest.fixture(scope="package")
def noisy(deployment: Deployment) -> str:
    """Run a job of two noisy metrics: one spike, one stretch of NaN, both infinities."""
    noise = random.Random(4)
    special = {SPIKE_AT: SPIKE, 2_000: math.inf, 2_100: -math.inf}
    special |= dict.fromkeys(range(500, 520), math.nan)
    loss = [special.get(i, 1 + noise.gauss(0, 0.1)) for i in range(POINTS)]
    report(
        deployment, "noisy", ({"loss": value, "rate": 1 / (i + 1)} for i, value in enumerate(loss))
    )
    return "noisy"


def card(page: Page, title: str) -> Locator:
    return page.locator(".chart-card").filter(
        has=page.get_by_role("heading", name=title, exact=True)
    )


def notes(page: Page, title: str) -> Locator:
    return card(page, title).locator(".chart-notes")


def drag(page: Page, title: str, begin: float, end: float) -> None:
    """Drag over a part of a chart, given as shares of its width."""
    plot = card(page, title).locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + begin * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=3)
    page.mouse.up()


def test_a_card_tells_the_true_counts_and_what_is_no_number(visitor: Visitor, noisy: str) -> None:
    page = visitor.open(f"/job?id={noisy}")

    expect(notes(page, "loss")).to_have_text(
        f"3,000 points, drawn as 1,000 ranges · 20 NaN · 1 {TIMES} +∞ · 1 {TIMES} {MINUS}∞"
    )
    expect(notes(page, "rate")).to_have_text("3,000 points, drawn as 1,000 ranges")


def test_dragging_fetches_the_detail_for_all_charts_of_the_step(
    visitor: Visitor, noisy: str
) -> None:
    page = visitor.open(f"/job?id={noisy}")
    expect(notes(page, "rate")).to_contain_text("ranges")

    drag(page, "loss", 0.5, 0.6)

    for title in ("loss", "rate"):
        expect(notes(page, title)).to_contain_text(
            re.compile(r"^(29\d|30\d) of 3,000 points($| ·)")
        )
    card(page, "loss").locator(".u-over").dblclick()
    expect(notes(page, "rate")).to_have_text("3,000 points, drawn as 1,000 ranges")


def test_a_chart_is_zoomed_and_read_by_keyboard(visitor: Visitor, noisy: str) -> None:
    page = visitor.open(f"/job?id={noisy}")
    expect(notes(page, "rate")).to_contain_text("ranges")
    card(page, "rate").locator(".chart-plot").focus()

    page.keyboard.press("ArrowLeft")
    expect(card(page, "rate").locator(".chart-place")).to_have_text(re.compile(r"^step 1,\d{3}"))
    page.keyboard.press("+")
    part = re.compile(r"^1,(49\d|50\d) of 3,000 points, drawn as")
    expect(notes(page, "rate")).to_have_text(part)
    page.keyboard.press("Escape")
    expect(notes(page, "rate")).to_have_text("3,000 points, drawn as 1,000 ranges")


def test_the_table_behind_a_chart_has_its_numbers(visitor: Visitor, deployment: Deployment) -> None:
    report(deployment, "tabled", [{"loss": value} for value in (0.5, math.nan, -2.25)])
    page = visitor.open("/job?id=tabled")

    card(page, "loss").get_by_text("Table").click()

    rows = card(page, "loss").locator("tbody tr")
    expect(rows).to_have_count(3)
    assert [row.split() for row in rows.all_inner_texts()] == [
        ["0", "1", "0.5"],
        ["1", "1", "NaN"],
        ["2", "1", f"{MINUS}2.25"],
    ]


def test_ranks_share_a_chart_and_can_be_hidden(visitor: Visitor, deployment: Deployment) -> None:
    with deployment.open_run("ranks", attempt=1) as zero:
        with deployment.open_run("ranks", rank=1, attempt=1) as one:
            one.set_metrics({"loss": 4.0}, x=0)
        zero.set_metrics({"loss": 3.0}, x=0)
    deployment.wait_for_views("ranks")
    page = visitor.open("/job?id=ranks")
    lines = card(page, "loss").locator(".chart-legend li")

    expect(lines).to_have_text([re.compile(r"rank 0\s*3"), re.compile(r"rank 1\s*4")])
    shapes = lines.locator("line").evaluate_all(
        "all => all.map(e => e.getAttribute('stroke-dasharray'))"
    )
    assert len(set(shapes)) == 2, "told apart by more than colour"
    hide = lines.nth(1).get_by_role("button")
    hide.click()
    expect(hide).to_have_attribute("aria-pressed", "false")


def test_five_thousand_metrics_load_only_what_is_seen(
    visitor: Visitor, deployment: Deployment
) -> None:
    names = [f"layer.{i:04d}" for i in range(5_000)]
    chunks = [names[i : i + 500] for i in range(0, len(names), 500)]
    with deployment.open_run("crowd") as ctx:
        for chunk in chunks:
            ctx.set_metrics(dict.fromkeys(chunk, 1.0), x=0)
    deployment.wait_for_views("crowd")
    page = visitor.open()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{deployment.url}/job?id=crowd")

    expect(page.get_by_text("5,000 metrics", exact=True)).to_be_visible()
    expect(page.locator(".chart-card")).to_have_count(48)
    expect(notes(page, "layer.0000")).to_have_text("1 point")
    assert 0 < sum("/metrics?" in url for url in asked) < 48
    page.get_by_role("searchbox", name="Filter metrics").fill("4999")
    expect(page.locator(".chart-card")).to_have_count(1)
    expect(notes(page, "layer.4999")).to_have_text("1 point")


def test_points_that_come_live_are_all_there_once(visitor: Visitor, deployment: Deployment) -> None:
    with deployment.open_run("growing") as ctx:
        for x in range(50):
            ctx.set_metrics({"loss": 1 / (x + 1)}, x=x)
        ctx.flush()
        deployment.wait_for_views("growing", "running")
        page = visitor.open("/job?id=growing")
        expect(notes(page, "loss")).to_have_text("50 points")
        seen = []
        for x in range(50, 250):
            ctx.set_metrics({"loss": 1 / (x + 1), "late": 1.0}, x=x)
            if x % 50 == 0:
                ctx.flush()
                seen.append(_count(notes(page, "loss").inner_text()))

        expect(notes(page, "loss")).to_have_text("250 points")
        expect(notes(page, "late")).to_have_text("200 points")
        assert seen == sorted(seen)


@pytest.mark.parametrize("held", [0, 1, 399])
def test_an_answer_that_lags_behind_the_live_stream_is_completed(
    visitor: Visitor, deployment: Deployment, held: int
) -> None:
    job_id = f"lagging-{held}"
    report(deployment, job_id, ({"loss": float(x)} for x in range(400)))
    api = f"{deployment.url}/api/jobs/{job_id}"
    events = httpx.get(f"{api}/events", params={"type": "metrics", "limit": 1000}).json()["events"]
    until = events[held]["position"]
    page = visitor.open("/compare")
    page.route("**/metrics?**", lambda route: _lag(route, until))

    shown = page.evaluate(REPLAYED, {"job": job_id, "events": events, "url": deployment.url})

    assert shown["count"] == 400
    assert shown["values"] == [float(x) for x in range(400)]


def test_metrics_that_a_lagging_listing_lacks_are_found(
    visitor: Visitor, deployment: Deployment
) -> None:
    listing = f"{deployment.url}/api/jobs/listed-late/series?limit=1000"
    with deployment.open_run("listed-late") as ctx:
        ctx.set_metrics({"early": 1.0}, x=0)
        ctx.flush()
        deployment.wait_for_views("listed-late", "running")
        lagging = httpx.get(listing)
        ctx.set_metrics({"late": 1.0}, x=0)
    deployment.wait_for_views("listed-late")
    page = visitor.open("/")
    page.route(listing, lambda route: route.fulfill(body=lagging.content), times=1)

    page.goto(f"{deployment.url}/job?id=listed-late")

    expect(notes(page, "late")).to_have_text("1 point")


REPLAYED = """async ({job, events, url}) => {
  const { Charts } = await import(`${url}/static/js/charts/panel.js`);
  const root = document.createElement("div");
  document.body.append(root); // the page may still be drawing
  const charts = new Charts(root, { jobId: job });
  const half = events.length / 2;
  const send = (some) => some.forEach((event) => charts.onEvent({ ...event, attempt: 1, rank: 0 }));
  const listed = charts.load();
  send(events.slice(0, half));          // before anything is known
  await listed;
  send(events.slice(half, half + 50));  // while the answer is on its way
  const card = [...charts.cards.values()][0];
  while (!card.view || card.isLoading) await new Promise(requestAnimationFrame);
  send(events.slice(half + 50));
  const [{ line }] = card.view.lines;
  return { count: line.count, values: line.last };
}"""


def _lag(route: Route, until: str) -> None:
    """Answer as an API would whose views have not got further than `until`."""
    answer = route.fetch(url=f"{route.request.url}&until={until}")
    content = answer.json()
    content["position"] = until
    for series in content["series"]:
        series["count"] = sum(series["buckets"]["points"])
    route.fulfill(response=answer, json=content)


def _count(text: str) -> int:
    return int(text.split(maxsplit=1)[0].replace(",", ""))
