"""`open`: the page of a job, wherever there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream import open_run
from synapse_stream.supervisor.single import holder, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what a browser would open."""
    seen: list[str] = []

    def open_it(address: str) -> bool:
        seen.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", open_it)
    return seen


def test_the_page_of_the_up_that_runs_here_is_opened(
    command: Callable[..., Said], settings: Settings, opened: list[str]
) -> None:
    lock = settings.data_dir / "up.lock"
    assert holder(lock) is None
    with single(lock, {"page": "http://127.0.0.1:8420", "pid": 1}):
        said = command("open", "team/a b")
    left = command("open", "team/a b")

    assert said.code == 0, said
    assert opened == said.lines == ["http://127.0.0.1:8420/job?id=team%2Fa+b"]
    assert left.code == 1
    assert "no page is known" in left.err


def test_the_page_of_a_deployment_elsewhere_is_opened(
    command: Callable[..., Said], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SYNAPSE_STREAM_REDIS_URL")
    monkeypatch.setenv("SYNAPSE_STREAM_URL", "https://streams.example/base/")

    assert command("open", "job-1", "--json").objects == [
        {"page": "https://streams.example/base/job?id=job-1"}
    ]
    assert opened == ["https://streams.example/base/job?id=job-1"]


def test_a_run_says_where_it_is_shown_once_that_is_set(
    command: Callable[..., Said],
    settings: Settings,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with open_run("silent", settings=settings):
        pass
    monkeypatch.setenv("SYNAPSE_STREAM_PAGE_URL", "https://page.example/base/")
    shown = settings.model_copy(update={"page_url": "https://page.example/base"})
    first = open_run("job=1", settings=shown, attempt=1)
    with first, open_run("job=1", settings=shown, rank=1, attempt=1):
        pass
    said = [record.getMessage() for record in caplog.records]

    assert command("open", "job=1").code == 0
    assert opened == ["https://page.example/base/job?id=job%3D1"]
    assert said == [f"run job=1 is shown at {opened[0]}"]


def test_without_a_browser_there_is_the_address(
    command: Callable[..., Said], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    with single(settings.data_dir / "up.lock", {"page": "http://127.0.0.1:8420"}):
        said = command("open", "job-1")

    assert (said.code, said.lines) == (1, ["http://127.0.0.1:8420/job?id=job-1"])
    assert "no browser" in said.err
