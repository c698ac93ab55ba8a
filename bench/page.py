"""The page: from opening a job with a long series to its first chart, in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from shutil import which
from typing import TYPE_CHECKING, Any

import httpx

from bench.figures import Bound, Row
from bench.streams import metrics, streams
from synapse_stream.settings import PREFIX
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from bench.stage import Stage
    from synapse_stream import Settings

BATCH = 1_000
JOB = "run-0"
PATIENCE_SECONDS = 300.0
WIDTH, HEIGHT = 1_440, 900

# Sets `shown` to the time of the frame behind the one that drew a chart, in ms of the navigation.
_WATCH = """(() => {
  const look = () => {
    const notes = document.querySelector(".chart-card:has(canvas) .chart-notes");
    const isDrawn = notes?.textContent.includes("buckets");
    requestAnimationFrame(isDrawn ? () => (window.shown = performance.now()) : look);
  };
  requestAnimationFrame(look);
})();"""


def rows(stage: Stage) -> Iterator[Row]:
    """Time to the first chart."""
    points = 5 * stage.scale.events
    what = f"page opened → first chart, 3 metrics of {points:,} points"
    bound = Bound(1_500, on="ours")
    binary = os.environ.get("BROWSER_BIN") or which("chromium") or which("google-chrome")
    if binary is None:
        yield Row(what, "ms", bound=bound, void="no Chromium")
        return
    with streams(stage, 1, points + 1, BATCH, metrics) as filled:
        filled.write()
        own = filled.settings.model_copy(update={"store_url": f"sqlite:///{stage.root}/page"})
        with _served(own, points) as url, _browser(binary) as browser:
            _open(browser, url)  # the servers' first answer is no reader's measure
            took = [_open(browser, url) for _ in range(stage.scale.rounds)]
    yield Row(what, "ms", took, bound=bound)


def _open(browser: Browser, url: str) -> float:
    """Open the job in a context with an empty cache; return how long it took, in ms."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(f"{url}/job?id={JOB}")
        shown: Any = None
        while shown is None:
            shown = page.evaluate("window.shown")
        return float(shown)
    finally:
        context.close()


@contextmanager
def _browser(binary: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=arguments)
        yield browser
        browser.close()


@contextmanager
def _served(settings: Settings, points: int) -> Iterator[str]:
    """Start consumers and API; yield the API's address when the views hold all points."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    shown = settings.model_dump(exclude_none=True)
    environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    commands = (["consumers", "all"], ["consumers.api", "--no-token", "--port", str(port)])
    with ExitStack() as stack:
        log = stack.enter_context((settings.data_dir / "page.log").open("wb"))
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], env=os.environ | environ, stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        wait_until(lambda: _counts(url) == [points] * 3, PATIENCE_SECONDS)
        yield url


def _counts(url: str) -> list[int]:
    with suppress(httpx.TransportError):
        answer = httpx.get(f"{url}/api/jobs/{JOB}/series")
        if answer.is_success and httpx.get(f"{url}/api/jobs/{JOB}").is_success:
            return [series["count"] for series in answer.json()["series"]]
    return []
