"""The operators' trail, holds and sign-offs, as the page shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from synapse_stream.operating.trail import acting
from tests.page.looking import violations
from tests.page.measured import report

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment


def test_an_operator_finds_what_was_done_newest_first(
    visitor: Visitor, deployment: Deployment
) -> None:
    for name in ("first act", "second act"):
        with acting(deployment.settings, name, jobs=["job-<b>"], reason="it was <i>asked</i> for"):
            pass
    page = visitor.open("/")

    page.get_by_role("link", name="Trail").click()

    rows = page.get_by_role("region", name="Acts").locator("tbody tr")
    expect(rows.first).to_contain_text("second act")
    expect(rows.first).to_contain_text("job-<b>")
    expect(rows.first).to_contain_text("it was <i>asked</i> for")
    expect(rows.nth(1)).to_contain_text("first act")
    expect(rows.first.locator("td").nth(4)).to_have_text("done")
    assert violations(page) == []


def test_a_held_run_says_so_and_is_signed_off_by_a_button(
    visitor: Visitor, deployment: Deployment
) -> None:
    report(deployment, "to-be-signed", [{"loss": 1.0}])
    held = {"job_id": "to-be-signed", "label": None}
    with acting(deployment.settings, "hold", reason="a <b>lawsuit</b>", before=held):
        pass
    page = visitor.open("/job?id=to-be-signed")
    standing = page.locator("#standing")

    expect(standing).to_contain_text("nothing is removed of it")
    expect(standing).to_contain_text("a <b>lawsuit</b>")
    page.get_by_role("button", name="Sign off…").click()
    page.get_by_label("Your name").fill("Ada <i>L.</i>")
    page.get_by_label("Meaning").fill("reviewed")
    assert violations(page) == []
    page.get_by_role("button", name="Sign off", exact=True).click()

    expect(standing).to_contain_text("Signed off by Ada <i>L.</i>")
    expect(standing).to_contain_text(re.compile("reviewed"))
    expect(page.get_by_role("dialog")).to_have_count(0)
