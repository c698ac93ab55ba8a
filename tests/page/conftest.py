"""A real browser on a real deployment; whatever a page does wrong fails its test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.page.deployment import Deployment
from tests.support.machine import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a browser on a busy machine more time than other tests have."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(240))


def browser_binary() -> str:
    """Return the browser to test with; without one skip the test, or fail it in CI."""
    found = os.environ.get("BROWSER_BIN") or next(filter(None, map(shutil.which, _NAMES)), None)
    return needed(found, "no Chromium: apt-get install chromium, or set BROWSER_BIN")


# Of the package, not of the session: while playwright is open, asyncio believes that a loop runs.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start one browser for all tests."""
    binary = browser_binary()
    expect.set_options(timeout=40_000)
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=binary, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Share one deployment among all tests; each uses jobs of its own."""
    browser_binary()
    with Deployment(tmp_path_factory.mktemp("deployment")) as running:
        yield running


class Visitor:
    """Opens pages and notes what must not happen: errors, dialogs, requests to other hosts.

    Errors that contain one of the texts `expected` may happen.
    """

    def __init__(self, browser: Browser, deployment: Deployment) -> None:
        self._browser = browser
        self._deployment = deployment
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = ()

    def open(
        self,
        path: str = "/",
        *,
        width: int = 1440,
        height: int = 900,
        init: str = "",
        **context: Any,
    ) -> Page:
        """Open a page of the deployment in a browser of its own, which runs `init` before all."""
        opened = self._browser.new_context(viewport={"width": width, "height": height}, **context)
        self._contexts.append(opened)
        if init:
            opened.add_init_script(init)
        return self._open(opened, path)

    def tab(self, other: Page, path: str) -> Page:
        """Open a page in the browser of another."""
        return self._open(other.context, path)

    def _open(self, opened: BrowserContext, path: str) -> Page:
        page = opened.new_page()
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("dialog", lambda dialog: self._note("error", f"dialog {dialog.message}"))
        page.on("request", lambda request: self._check_host(request.url))
        page.goto(f"{self._deployment.url}{path}")
        return page

    def close(self) -> None:
        """Close all."""
        for context in self._contexts:
            context.close()

    def _note(self, kind: str, text: str) -> None:
        is_expected = any(part in text for part in self.expected)
        if kind in {"error", "warning"} and not is_expected:
            self.faults.append(f"{kind}: {text}")

    def _check_host(self, url: str) -> None:
        if not url.startswith((self._deployment.url, "data:", "blob:")):
            self.faults.append(f"foreign request: {url}")


@pytest.fixture
def visitor(browser: Browser, deployment: Deployment) -> Iterator[Visitor]:
    """Open pages; fail if one of them did what it must not."""
    visiting = Visitor(browser, deployment)
    yield visiting
    visiting.close()
    assert visiting.faults == []


@pytest.fixture
def keep() -> Callable[[Page, str], None]:
    """Keep a screenshot under a name, for people to look at."""

    def take(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take
