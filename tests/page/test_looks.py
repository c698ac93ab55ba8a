"""How the page looks to people and to assistive technology, with tame and with hostile jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.looking import feed_rows, feed_texts, job_path, violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
_HOSTILE = "<svg.onload=alert(1)>..?y#z&日本%2e\"'🚀"


@pytest.fixture(scope="package")
def failed(deployment: Deployment) -> str:
    """Have a job with something of everything that the page shows."""

    def run() -> None:
        params = {"lr": 0.1, "limit": float("inf"), "optimizer": {"name": "adamw"}}
        with deployment.open_run("looks", action="train", params=params, labels={"a": 1}) as ctx:
            for level in ("info", "success", "warning", "danger"):
                ctx.log_message(f"A message of level {level}", level)
            for epoch in range(1, 40):
                ctx.set_progress(epoch, 100, step="training")
                ctx.set_metrics({"loss": 1 / epoch}, step="training", x=epoch)
            ctx.set_progress(5, 5, step="loading")
            ctx.log_dev_event("memory", {"bytes": 1})
            raise RuntimeError("no memory left")

    with pytest.raises(RuntimeError):
        run()
    deployment.wait_for_views("looks", "failed")
    return "looks"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
def test_nothing_bars_the_way_of_assistive_technology(
    visitor: Visitor, keep: Callable[[Page, str], None], failed: str, scheme: str, width: int
) -> None:
    page = visitor.open(job_path(failed), width=width, color_scheme=scheme)
    expect(feed_rows(page)).to_have_count(4)
    expect(page.locator("#summary")).to_contain_text("Failed")
    expect(page.get_by_text("no memory left").first).to_be_visible()
    feed_rows(page).first.click()
    expect(page.get_by_role("region", name="Message", exact=True)).to_be_visible()
    assert violations(page) == []
    assert _overflow(page) == 0
    keep(page, f"job-{scheme}-{width}")

    page.locator(".brand").click()
    page.get_by_label("Status").select_option("failed")  # it may be far down among all
    expect(page.get_by_role("link", name=failed)).to_be_visible()
    assert violations(page) == []
    assert _overflow(page) == 0
    keep(page, f"jobs-{scheme}-{width}")


_TEXTS = [_MARKUP, "a\x00b\x1b[31mc\u202ed", "w" * 100_000, "مرحبا بالعالم", "👩‍👩‍👧‍👦 é"]


@pytest.fixture(scope="package")
def hostile(deployment: Deployment) -> str:
    """Have a job whose every text would like to be markup, or to be too much."""

    def run() -> None:
        params = {_MARKUP: _MARKUP, "__proto__": {"a": 1}, "long": "x" * 5_000}
        labels = {_MARKUP: _MARKUP}
        with deployment.open_run(_HOSTILE, action=_MARKUP, params=params, labels=labels) as ctx:
            for text in _TEXTS:
                ctx.log_message(text, "warning")
            ctx.log_dev_event(_MARKUP, {"</script>": [_MARKUP]})
            for number in range(1_000):
                ctx.set_progress(1, 2, step=f"{_MARKUP} {number:04d}")
            ctx.set_metrics({f"<b>{number}</b>": float("nan") for number in range(5_000)})
            raise ValueError(_MARKUP)

    with pytest.raises(ValueError, match="img"):
        run()
    deployment.wait_for_views(_HOSTILE, "failed")
    return _HOSTILE


def test_a_hostile_job_runs_nothing_and_looks_right(
    visitor: Visitor, keep: Callable[[Page, str], None], hostile: str
) -> None:
    page = visitor.open("/?status=failed")
    page.get_by_role("link", name=hostile).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(hostile)
    expect(page.get_by_text("5,000 metrics", exact=True)).to_be_visible()
    expect(feed_rows(page)).to_have_count(len(_TEXTS))
    shown = feed_texts(page)
    assert shown[:2] == [_MARKUP, "a␀bc⟨202E⟩d"]
    assert len(shown[2]) < 1_000
    feed_rows(page).nth(2).click()
    expect(page.locator(".detail-text")).to_have_text("w" * 100_000)
    page.get_by_role("switch", name="Dev events").check()
    expect(feed_rows(page)).to_have_count(len(_TEXTS) + 1)

    assert page.locator("main :is(img, script, b, [onload], [onerror])").count() == 0
    assert page.locator("#steps tr").count() < 60
    assert _overflow(page) == 0
    keep(page, "hostile")


def test_an_unknown_job_is_said_to_be_unknown(visitor: Visitor) -> None:
    visitor.expected = ("404",)
    page = visitor.open(job_path("nobody"))
    expect(page.get_by_role("heading", name="This job is not known")).to_be_visible()
    assert violations(page) == []


def _overflow(page: Page) -> int:
    """Return how many pixels are wider than the window."""
    wider: int = page.evaluate(
        "Math.max(0, ...[document.documentElement, document.querySelector('main')]"
        ".map((element) => element.scrollWidth - element.clientWidth))"
    )
    return wider
