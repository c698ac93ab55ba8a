"""Comparison: several runs in one chart, and what came of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.page.looking import violations
from tests.page.measured import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment


@pytest.fixture(scope="package")
def pair(deployment: Deployment) -> str:
    report(deployment, "left%1", [{"loss": value, "only": 1.0} for value in (3.0, 0.5, 1.0)])
    report(deployment, "right&2", [{"loss": value} for value in (4.0, 2.0)])
    return "/compare?id=left%251&id=right%262"


def test_runs_share_a_chart_and_have_their_values_in_a_table(visitor: Visitor, pair: str) -> None:
    page = visitor.open(pair)
    cards = page.locator(".chart-card")

    expect(cards.locator("h4")).to_have_text(["loss", "only"])
    expect(cards.first.locator(".chart-name")).to_have_text(["left%1", "right&2"])
    expect(cards.first.locator(".chart-notes")).to_have_text("5 points")
    rows = page.get_by_role("region", name="Values of all runs").locator("tbody tr")
    expect(rows.nth(0).locator("td")).to_have_text(["1", "0.5", "3", "3", "2", "2", "4", "2"])
    expect(rows.nth(1).locator("td")).to_have_text(["1", "1", "1", "3", re.compile(".")])


def test_time_is_counted_from_each_runs_start(
    visitor: Visitor, deployment: Deployment, pair: str
) -> None:
    job = f"{deployment.url}/api/jobs/left%251"
    (attempt,) = httpx.get(job).json()["attempts"]
    (loss,) = httpx.get(f"{job}/metrics", params={"name": "loss", "points": 0}).json()["series"]
    page = visitor.open(pair)
    passed = page.evaluate(
        "async (us) => (await import('/static/js/charts/axes.js')).formatElapsed(us / 1e6)",
        loss["time"][0] - attempt["started"],
    )
    expect(page.locator(".chart-notes").first).to_have_text("5 points")

    page.get_by_role("combobox", name="By").select_option("time")

    card = page.locator(".chart-card").first
    card.get_by_text("Table").click()
    expect(card.locator("thead th").first).to_have_text("time since the start")
    expect(card.locator("tbody th").first).to_have_text(passed)


def test_a_run_that_goes_on_is_followed(
    visitor: Visitor, deployment: Deployment, pair: str
) -> None:
    with deployment.open_run("going+on") as ctx:
        ctx.set_metrics({"loss": 9.0}, step="training", x=0)
        ctx.flush()
        deployment.wait_for_views("going+on", "running")
        page = visitor.open(f"{pair}&id=going%2Bon")
        expect(page.locator(".chart-notes").first).to_have_text("6 points")
        ctx.set_metrics({"loss": 8.0}, step="training", x=1)
        ctx.flush()

        expect(page.locator(".chart-notes").first).to_have_text("7 points")
        row = page.get_by_role("region", name="Values of all runs").locator("tbody tr").first
        expect(row.locator("td").nth(8)).to_have_text("8")


def test_an_unknown_job_is_said_and_the_others_are_shown(visitor: Visitor, pair: str) -> None:
    visitor.expected = ("404",)
    page = visitor.open(f"{pair}&id=nobody")

    expect(page.locator(".compare-runs li").nth(2)).to_contain_text("nobody")
    expect(page.locator(".compare-runs li").nth(2)).not_to_contain_text("loading")
    expect(page.locator(".chart-notes").first).to_have_text("5 points")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_nothing_bars_the_way_of_assistive_technology(
    visitor: Visitor,
    pair: str,
    scheme: str,
    width: int,
    keep: Callable[[Page, str], None],
) -> None:
    page = visitor.open(pair, width=width, color_scheme=scheme)
    expect(page.locator(".chart-notes").first).to_have_text("5 points")
    page.locator(".chart-card").first.get_by_text("Table").click()

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(page, f"compare-{scheme}-{width}")


@pytest.fixture(scope="package")
def sweep(deployment: Deployment) -> str:
    """Have four runs, by two values of one parameter; another one is the same in all."""
    for number in range(4):
        wd = 0.5 if number % 2 else 0.1
        params = {"wd": wd, "model": {"name": f"net-{number}"}, "seed": 7}
        report(
            deployment, f"swept-{number}", [{"loss": number}, {"loss": number + 1}], params=params
        )
    return "/compare?" + "&".join(f"id=swept-{number}" for number in range(4))


def test_only_what_differs_is_told_and_the_best_is_marked(visitor: Visitor, sweep: str) -> None:
    page = visitor.open(sweep)
    table = page.get_by_role("region", name="What differs")

    expect(table.get_by_role("row").filter(has_text="wd").locator("td")).to_have_text(
        ["0.1", "0.5", "0.1", "0.5"]
    )
    expect(table.get_by_text("model.name")).to_be_visible()
    expect(table.get_by_text("seed")).to_have_count(0)
    expect(table.locator(".is-best")).to_have_text(["★ 0, the best"])
    expect(page.get_by_text("other respects all of them are the same")).to_be_visible()


def test_runs_of_a_group_are_drawn_as_their_mean_and_the_address_says_so(
    visitor: Visitor, keep: Callable[[Page, str], None], sweep: str
) -> None:
    page = visitor.open(sweep)
    lines = page.locator(".chart-legend li")
    expect(lines).to_have_count(4)

    page.get_by_role("combobox", name="A line for").select_option("wd")
    expect(lines).to_have_text(
        [
            re.compile(r"wd 0.1, mean of 2 runs\s*1 … 3\s*2"),
            re.compile(r"wd 0.5, mean of 2 runs\s*2 … 4\s*3"),
        ]
    )
    page.get_by_role("combobox", name="Parameter of").select_option("model.name")
    page.reload()
    expect(lines).to_have_count(2)
    expect(
        page.get_by_role("img", name="Scatter plot of training: loss by model.name")
    ).to_be_visible()
    expect(page.locator(".plot .dot")).to_have_count(4)
    expect(page.locator(".plot .course")).to_have_count(4)
    assert violations(page) == []
    keep(page, "compare-grouped")


def test_fifty_runs_are_compared_and_more_are_said(visitor: Visitor, sweep: str) -> None:
    visitor.expected = ("404",)
    page = visitor.open(sweep + "".join(f"&id=none-{number}" for number in range(48)))

    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 50 runs")
    expect(page.get_by_text("2 more runs left out: at most 50")).to_be_visible()
    expect(page.locator(".chart-legend li")).to_have_count(4)


def test_ranks_of_a_run_are_compared_as_their_mean(
    visitor: Visitor, deployment: Deployment, sweep: str
) -> None:
    with deployment.open_run("two-ranks", attempt=1) as zero:
        with deployment.open_run("two-ranks", rank=1, attempt=1) as one:
            one.set_metrics({"loss": 30.0}, step="training", x=0)
        zero.set_metrics({"loss": 10.0}, step="training", x=0)
    deployment.wait_for_views("two-ranks")
    page = visitor.open(f"{sweep}&id=two-ranks")
    line = page.locator(".chart-legend li").last
    expect(line).to_have_text(re.compile(r"two-ranks\s*10\s*$"))
    page.get_by_role("combobox", name="Ranks").select_option("mean")
    expect(line).to_have_text(re.compile(r"two-ranks\s*10 … 30\s*20\s*$"))


def test_without_jobs_it_says_how_to_choose_them(visitor: Visitor) -> None:
    page = visitor.open("/compare")

    expect(page.locator(".chart-empty")).to_contain_text("Choose")
