"""Many metrics of one run: found, grouped, pinned, and many ranks drawn as one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.looking import violations
from tests.page.measured import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

RANKS = 9
_NAMES = ("lr", "train/accuracy", "train/loss", "val/loss")


@pytest.fixture(scope="package")
def named(deployment: Deployment) -> str:
    """Have a run whose names have parts."""
    points = [dict.fromkeys(_NAMES, 1 / (x + 1)) for x in range(40)]
    report(deployment, "named", points)
    return "/job?id=named"


@pytest.fixture(scope="package")
def many_ranks(deployment: Deployment) -> str:
    """Have a run of nine ranks, each of which reports its number."""
    ranks = [deployment.open_run("nine", rank=rank, attempt=1) for rank in range(RANKS)]
    for rank, ctx in enumerate(ranks):
        for x in range(20):
            ctx.set_metrics({"loss": rank + 100 * x}, step="training", x=x)
    for ctx in reversed(ranks):
        with ctx:
            pass
    deployment.wait_for_views("nine")
    return "/job?id=nine"


def heads(page: Page) -> Locator:
    return page.locator(".chart-head button")


def titles(page: Page) -> Locator:
    return page.locator(".chart-group h4")


def test_metrics_stand_in_groups_that_fold_and_pins_stay_for_other_runs(
    visitor: Visitor, deployment: Deployment, named: str
) -> None:
    page = visitor.open(named)
    expect(heads(page)).to_have_text(["training", "training · train"])
    expect(titles(page)).to_have_text(["lr", "val/loss", "train/accuracy", "train/loss"])

    page.get_by_role("button", name="Pin train/loss").click()
    expect(heads(page)).to_have_text(["Pinned", "training", "training · train"])
    expect(titles(page)).to_have_text(["train/loss", "lr", "val/loss", "train/accuracy"])
    heads(page).nth(1).click()
    expect(titles(page)).to_have_text(["train/loss", "train/accuracy"])
    expect(heads(page).nth(1)).to_have_attribute("aria-expanded", "false")
    assert violations(page) == []

    report(deployment, "named-later", [dict.fromkeys(_NAMES, 1.0)])
    page.goto(f"{deployment.url}/job?id=named-later")
    expect(titles(page)).to_have_text(["train/loss", "train/accuracy"])
    page.get_by_role("button", name="Pin train/loss").click()
    expect(page.get_by_role("button", name="Pin train/loss")).to_have_attribute(
        "aria-pressed", "false"
    )


def test_filter_axis_scale_smoothing_and_zoom_stand_in_the_address(
    visitor: Visitor, deployment: Deployment, named: str
) -> None:
    page = visitor.open(named)
    page.get_by_role("searchbox", name="Filter metrics").fill("^train/|^lr$")
    expect(titles(page)).to_have_text(["lr", "train/accuracy", "train/loss"])
    page.get_by_role("combobox", name="By").select_option("index")
    page.get_by_role("combobox", name="Scale").select_option("log")
    page.get_by_role("slider", name="Smoothing").fill("0.5")
    expect(page.locator(".chart-notes").first).to_have_text("40 points")
    plot = page.locator(".chart-plot").first
    plot.focus()
    plot.press("+")
    expect(page.locator(".chart-notes").nth(1)).to_contain_text("of 40 points")
    page.reload()

    expect(titles(page)).to_have_text(["lr", "train/accuracy", "train/loss"])
    expect(page.get_by_role("combobox", name="By")).to_have_value("index")
    expect(page.get_by_role("combobox", name="Scale")).to_have_value("log")
    expect(page.get_by_role("slider", name="Smoothing")).to_have_value("0.5")
    expect(page.locator(".chart-notes").nth(1)).to_contain_text("of 40 points")
    page.get_by_role("button", name="Reset zoom").first.click()
    expect(page.locator(".chart-notes").nth(1)).to_have_text("40 points")
    expect(page).to_have_url(re.compile(r"id=named&metrics=.*&by=index&scale=log&smooth=0.5$"))
    page.get_by_role("searchbox", name="Filter metrics").fill("loss(")
    expect(page.get_by_text("No metric has this in its name.")).to_be_visible()


def test_many_ranks_are_drawn_as_their_mean_and_each_on_demand(
    visitor: Visitor, keep: Callable[[Page, str], None], many_ranks: str
) -> None:
    page = visitor.open(many_ranks)
    lines = page.locator(".chart-legend li")
    expect(lines).to_have_text([re.compile(r"mean of 9 ranks\s*1,900 … 1,908\s*1,904")])
    expect(page.locator(".chart-notes")).to_have_text("180 points, drawn as 20 ranges")
    keep(page, "ranks-together")

    page.get_by_role("combobox", name="Rank").last.select_option("each")
    expect(lines).to_have_count(8)
    expect(page.locator(".chart-notes")).to_contain_text("1 more series not drawn")
    page.get_by_role("combobox", name="Rank").last.select_option("8")
    expect(lines).to_have_text([re.compile(r"last\s*1,908")])


def test_ranks_that_run_are_drawn_together_as_they_go_on(
    visitor: Visitor, deployment: Deployment
) -> None:
    ranks = [deployment.open_run("nine-live", rank=rank, attempt=1) for rank in range(RANKS)]
    for rank, ctx in enumerate(ranks):
        ctx.set_metrics({"loss": float(rank)}, x=0)
        ctx.flush()
    deployment.wait_for_views("nine-live", "running")
    page = visitor.open("/job?id=nine-live")
    expect(page.locator(".chart-notes")).to_have_text("9 points, drawn as 1 range")
    for rank, ctx in enumerate(ranks):
        ctx.set_metrics({"loss": 10.0 + rank}, x=1)
    expect(page.locator(".chart-legend li")).to_have_text(
        [re.compile(r"mean of 9 ranks\s*10 … 18\s*14")]
    )
    for ctx in reversed(ranks):
        with ctx:
            pass


TOGETHER = """async ({ series }) => {
  const { Line } = await import("/static/js/charts/line.js");
  const { together } = await import("/static/js/charts/together.js");
  const lines = series.map(({ points, each }) => {
    const columns = Object.fromEntries(["start", "stop", "points", "min", "max", "last", "nans",
      "positive_infinite", "negative_infinite"].map((name) => [name, points.map(() => 0)]));
    for (const [i, [start, stop, low, high, last]] of points.entries()) {
      Object.assign(columns, { });
      [columns.start[i], columns.stop[i], columns.points[i]] = [start, stop, each];
      [columns.min[i], columns.max[i], columns.last[i]] = [low, high, last];
    }
    return new Line({ attempt: 1, rank: 0, count: each * points.length, buckets: columns }, Number);
  });
  const { start, stop, min, max, last, points } = together(lines);
  return { start, stop, min, max, last, points };
}"""


def together(page: Page, *series: dict[str, Any]) -> dict[str, Any]:
    drawn: dict[str, Any] = page.evaluate(TOGETHER, {"series": series})
    return drawn


def test_series_together_keep_their_own_places_while_each_is_a_point(visitor: Visitor) -> None:
    page = visitor.open("/compare")
    one = {"each": 1, "points": [[0, 0, 1, 1, 1], [1, 1, 2, 2, 2], [3, 3, 9, 9, 9]]}
    two = {"each": 1, "points": [[0, 0, 3, 3, 3], [2, 2, 4, 4, 4]]}

    assert together(page, one, two) == {
        "start": [0, 1, 2, 3],
        "stop": [0, 1, 2, 3],
        "points": [2, 1, 1, 1],
        "min": [1, 2, 4, 9],
        "max": [3, 2, 4, 9],
        "last": [2, 2, 4, 9],
    }


def test_series_together_lose_no_extreme_and_count_once_in_the_mean(visitor: Visitor) -> None:
    page = visitor.open("/compare")
    one = {"each": 10, "points": [[0, 9, -5, 2, 1], [10, 19, 0, 7, 3]]}
    two = {"each": 10, "points": [[0, 9, 0, 1, 100], [12, 13, 0, 1, 5], [14, 19, 1, 2, 9]]}

    drawn = together(page, one, two)

    assert (min(drawn["min"]), max(drawn["max"])) == (-5, 7)
    assert sum(drawn["points"]) == 50
    assert drawn["last"][-1] == 6


PAGES = """async ({ names, folded, size, pinned }) => {
  const { grouped, paged } = await import("/static/js/charts/groups.js");
  const metrics = names.map(([step, name]) => ({ key: `${step}/${name}`, step, name }));
  const groups = grouped(metrics, new Set(pinned));
  const pages = paged(groups, new Set(groups.filter(({ prefix }) => folded.includes(prefix))
    .map(({ key }) => key)), size);
  return pages.map((parts) => parts.map(({ group, first, metrics }) =>
    [group.isPinned ? "!" : `${group.step}:${group.prefix}`, first, metrics.length]));
}"""


def test_groups_are_divided_into_pages_and_folded_ones_take_no_room(visitor: Visitor) -> None:
    page = visitor.open("/compare")
    names = [["fit", name] for name in ("a.x", "a.y", "a.z", "b/x", "b/y", "c", "d.only")]
    given = {"names": [*names, [None, "a.x"]], "size": 3, "pinned": ["fit/c"], "folded": []}

    whole = page.evaluate(PAGES, given)
    folded = page.evaluate(PAGES, {**given, "folded": ["a"]})

    assert whole == [
        [["!", 0, 1], ["fit:", 0, 1], ["fit:a", 0, 1]],
        [["fit:a", 1, 2], ["fit:b", 0, 1]],
        [["fit:b", 1, 1], ["null:", 0, 1]],
    ]
    assert folded == [
        [["!", 0, 1], ["fit:", 0, 1], ["fit:a", 0, 0], ["fit:b", 0, 1]],
        [["fit:b", 1, 1], ["null:", 0, 1]],
    ]
