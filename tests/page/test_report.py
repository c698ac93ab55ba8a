"""`synapse-stream report`: one file that shows a run without a connection."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from synapse_stream.supervisor.single import single
from tests.page.looking import feed_rows, violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.page.deployment import Deployment

JOB = "frozen-1"
TRICK = "</script><script>document.title = 'forged'</script>"


def train(deployment: Deployment) -> None:
    """Run a training of two epochs that fails."""
    ctx = deployment.open_run(JOB, params={"epochs": 3})
    ctx.log_message(TRICK)
    ctx.log_message("Two rows were skipped", "warning")
    for epoch in range(2):
        ctx.set_metrics({"loss": 1 / (epoch + 1)}, step="fit", x=epoch)
        ctx.set_metrics({"lr": 0.1})
        ctx.set_progress(epoch + 1, 3, step="fit")
    with pytest.raises(ValueError, match="do not fit"), ctx:
        raise ValueError("the shapes do not fit")
    deployment.wait_for_views(JOB, "failed")


def written(deployment: Deployment, path: Path, **environment: str) -> str:
    """Have the command write a report; return what it says."""
    known = {"SYNAPSE_STREAM_DATA_DIR": str(deployment.settings.data_dir), **environment}
    arguments = [sys.executable, "-m", "synapse_stream.cli", "report", JOB, "-o", str(path)]
    said = subprocess.run(
        arguments, env={**os.environ, **known}, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    return said.stderr


def drawn(page: Page) -> None:
    """Wait until both metrics are drawn: a chart is when it comes into view."""
    for name in ("loss", "lr"):
        page.get_by_role("heading", name=name, exact=True).scroll_into_view_if_needed()
        expect(page.locator(".chart-card", has_text=name).locator("canvas")).to_be_visible()


@pytest.fixture(scope="module")
def report(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a failed run by the page of an `up`."""
    train(deployment)
    path = tmp_path_factory.mktemp("report") / "run.html"
    with single(deployment.settings.data_dir / "up.lock", {"page": deployment.url}):
        written(deployment, path, SYNAPSE_STREAM_REDIS_URL=str(deployment.settings.redis_url))
    return path


@pytest.fixture
def offline(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a file in a browser without a network; fail if it asks for anything, or complains."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note(address: str) -> None:
        if not address.startswith(("file:", "data:")):
            faults.append(address)

    def look(path: Path, **context: Any) -> Page:
        contexts.append(browser.new_context(offline=True, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: note(asked.url))
        page.goto(path.as_uri())
        return page

    yield look
    for context in contexts:
        context.close()
    assert faults == []


def test_a_report_shows_the_run_without_a_connection(
    report: Path, offline: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    page = offline(report, viewport={"width": 1440, "height": 900})

    expect(page.locator("#summary").get_by_text("Failed")).to_be_visible()
    expect(page.get_by_text("ValueError: the shapes do not fit").first).to_be_visible()
    expect(page.get_by_text("Traceback (most recent call last):")).to_be_attached()
    drawn(page)
    expect(page.locator("summary", has_text="Verified: frozen-1: intact, ")).to_be_visible()
    expect(feed_rows(page)).to_have_count(2)
    expect(feed_rows(page).first).to_contain_text(TRICK)
    expect(page).to_have_title("Failed frozen-1 · Synapse Stream")
    assert violations(page) == []
    keep(page, "report")


def test_what_a_report_holds_can_be_searched_and_drawn_otherwise(
    report: Path, offline: Callable[..., Page]
) -> None:
    page = offline(report)

    page.get_by_role("button", name="warning").click()
    expect(feed_rows(page)).to_have_count(1)
    page.get_by_role("button", name="warning").click()
    page.get_by_role("searchbox", name="Search messages").fill("rows were")
    expect(feed_rows(page)).to_have_count(1)
    page.get_by_role("combobox", name="By").select_option("time")
    drawn(page)
    expect(page.get_by_text("2 points").first).to_be_visible()


def test_a_report_is_whole_on_a_phone_in_the_dark(
    report: Path, offline: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    page = offline(report, viewport={"width": 360, "height": 740}, color_scheme="dark")

    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    keep(page, "report-phone-dark")


def test_over_an_api_a_report_says_that_nothing_is_verified(
    deployment: Deployment, report: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.html"
    said = written(deployment, path, SYNAPSE_STREAM_URL=deployment.url)

    assert said.startswith(f"{path}: ")
    assert "<summary>Verified: no</summary>" in path.read_text()
