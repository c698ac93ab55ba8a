"""The list of jobs as a table: sorted, with chosen columns, as views; to a job and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.looking import violations
from tests.page.measured import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_RUNS = 60
_PATH = "/?q=table-"


@pytest.fixture(scope="package")
def tabled(deployment: Deployment) -> None:
    """Have runs whose learning rates fall and rise, with a loss that follows them."""
    for number in range(_RUNS):
        lr = round(0.1 + 0.001 * ((number * 7) % _RUNS), 3)
        report(deployment, f"table-{number:02d}", [{"loss": 1 - lr}], params={"lr": lr})


def rows(page: Page) -> Locator:
    return page.locator(".c-job a")


def head(page: Page, name: str) -> Locator:
    return page.get_by_role("columnheader", name=re.compile(f"^{re.escape(name)}"))


def choose_columns(page: Page, columns: str, *, hide: str | None = None, view: str = "") -> None:
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("More columns").fill(columns)
    page.get_by_label("Save as view").fill(view)
    if hide is not None:
        page.get_by_role("dialog").get_by_label(hide).uncheck()
    assert violations(page) == []
    page.get_by_role("button", name="Show").click()


@pytest.mark.usefixtures("tabled")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_are_sorted_by_a_chosen_column_and_a_view_finds_it_again(
    visitor: Visitor, keep: Callable[[Page, str], None], scheme: str
) -> None:
    page = visitor.open(_PATH, color_scheme=scheme)
    expect(rows(page).first).to_have_text(f"table-{_RUNS - 1}")
    choose_columns(page, "params.lr, metrics.loss.best", hide="Events", view="rates")
    expect(head(page, "Events")).to_have_count(0)
    head(page, "params.lr").get_by_role("button").click()
    expect(head(page, "params.lr")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("tbody .c-chosen").first).to_have_text("0.159")
    head(page, "params.lr").get_by_role("button").click()
    expect(head(page, "params.lr")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tbody .c-chosen").first).to_have_text("0.1")
    expect(rows(page).first).to_have_text("table-00")
    expect(page).to_have_url(
        re.compile(r"sort=params.lr.*columns=params.lr.*hide=events.*view=rates")
    )
    assert violations(page) == []
    keep(page, f"table-{scheme}")

    page.get_by_role("combobox", name="View").select_option("")
    expect(head(page, "params.lr")).to_have_count(0)
    page.get_by_role("combobox", name="View").select_option("rates")
    expect(head(page, "params.lr")).to_be_visible()
    expect(page.get_by_label("Search by id or action")).to_have_value("table-")
    page.reload()
    expect(page.get_by_role("combobox", name="View")).to_have_value("rates")


@pytest.mark.usefixtures("tabled")
def test_chosen_columns_leave_room_for_the_job_on_a_narrow_page(visitor: Visitor) -> None:
    page = visitor.open(f"{_PATH}&columns=params.lr,metrics.loss.best", width=360)
    box = rows(page).first.bounding_box()
    assert box is not None
    assert box["width"] > 40
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.usefixtures("tabled")
def test_a_row_leads_to_its_job_and_back_leads_to_where_one_was(visitor: Visitor) -> None:
    page = visitor.open(f"{_PATH}&sort=params.lr&columns=params.lr", height=500)
    expect(rows(page).first).to_have_text("table-00")
    page.get_by_label("Compare table-00").check()
    scroller = page.locator(".jobs-scroll")
    scroller.evaluate("list => { list.scrollTop = 1200; }")
    expect(page.locator("tbody tr:not(.spacer)").first).not_to_contain_text("table-00")
    middle = page.locator("tbody tr:not(.spacer)").nth(12)
    name = middle.locator("a").inner_text()
    middle.scroll_into_view_if_needed()
    top = scroller.evaluate("list => list.scrollTop")
    middle.locator(".c-chosen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)

    page.go_back()
    expect(page.get_by_role("link", name=name)).to_be_in_viewport()
    assert scroller.evaluate("list => list.scrollTop") == top
    expect(page.get_by_text("1 chosen; choose another")).to_be_visible()
    scroller.evaluate("list => { list.scrollTop = 0; }")
    expect(page.get_by_label("Compare table-00")).to_be_checked()


def test_a_sorted_list_follows_what_changes(visitor: Visitor, deployment: Deployment) -> None:
    for number, loss in enumerate((3.0, 2.0)):
        report(deployment, f"order-{number}", [{"loss": loss}])
    page = visitor.open("/?q=order-&sort=metrics.loss.min&columns=metrics.loss.min")
    expect(rows(page)).to_have_text(["order-1", "order-0"])
    page.mouse.move(1, 1)
    report(deployment, "order-2", [{"loss": 2.5}])
    expect(rows(page)).to_have_text(["order-1", "order-2", "order-0"])
