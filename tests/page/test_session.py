"""Signing in where the API demands tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.looking import feed_rows, job_path, violations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_TOKEN = "a-token-of-some-length-for-a-viewer-only"


@pytest.fixture
def guarded(deployment: Deployment) -> Iterator[Deployment]:
    """Have the API demand a token for a while."""
    with deployment.open_run("guarded") as ctx:
        ctx.log_message("for all")
        ctx.log_dev_event("for developers")
    deployment.wait_for_views("guarded")
    deployment.kill_api()
    deployment.start_api(json.dumps([{"name": "ada", "role": "viewer", "token": _TOKEN}]))
    yield deployment
    deployment.kill_api()
    deployment.start_api()


@pytest.mark.usefixtures("guarded")
def test_a_token_is_asked_for_once_and_viewers_see_no_dev_events(visitor: Visitor) -> None:
    visitor.expected = ("401", "403")
    page = visitor.open(job_path("guarded"))
    dialog = page.get_by_role("dialog", name="This deployment asks for a token")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("ask your operator for one")
    assert violations(page) == []
    page.get_by_label("Token", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.get_by_label("Token", exact=True).fill(_TOKEN)
    page.keyboard.press("Enter")

    expect(dialog).to_be_hidden()
    expect(feed_rows(page)).to_have_count(1)
    expect(page.get_by_role("status").first).to_have_text("Run over")
    expect(page.get_by_text("ada (viewer)")).to_be_visible()
    expect(page.get_by_role("switch")).to_have_count(0)
    page.reload()
    expect(feed_rows(page)).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(dialog).to_be_visible()
