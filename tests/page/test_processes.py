"""What the page says of processes that were confused, asked to end, or are missing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from synapse_stream.log.event_log import open_log
from tests.support.chains import Chain
from tests.support.stories import ENDED, SAID, STARTED, asked, taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment


def test_a_run_tells_what_must_be_known_of_it(
    deployment: Deployment, visitor: Visitor, keep: Callable[[Page, str], None]
) -> None:
    with closing(open_log(deployment.settings)) as log:
        former = taken(log, "taken")
        deployment.wait_for_views("taken")
        page = visitor.open("/job?id=taken")
        log.append(former.add(SAID))

    notes = page.get_by_role("note")
    expect(notes).to_have_count(4)
    expect(notes.nth(0)).to_contain_text("SIGTERM asked it to end")
    expect(notes.nth(2)).to_contain_text("the record was interfered with")
    expect(notes.nth(3)).to_contain_text("1 other attempt reported beside this one")
    expect(page.get_by_text("an unknown number missing")).to_be_visible()
    expect(
        page.get_by_text("1 process of this run did not end, or nothing came of them:")
    ).to_be_visible()
    expect(page.get_by_text("left second behind number 1")).to_be_visible()
    expect(page.get_by_text("complete", exact=True)).to_have_count(0)
    keep(page, "taken")
    page = visitor.open("/")
    row = page.get_by_role("row").filter(has_text="taken")
    expect(row).to_contain_text("an unknown number missing")
    expect(row).to_contain_text("1 process not ended")
    expect(row).to_contain_text("attempt 1 alive, too")


def test_what_is_beyond_a_quota_is_told(deployment: Deployment, visitor: Visitor) -> None:
    step = {"type": "progress", "current": 1, "total": 2}
    loss = {"type": "loss", "counts": {"metrics": 1_200}, "reason": "more than the quota"}
    with closing(open_log(deployment.settings)) as log:
        for number in range(102):
            log.append(Chain("much", f"producer {number}").add({**STARTED, "rank": 0}))
        steps = [{**step, "step": f"step {number}"} for number in range(1_001)]
        log.append(Chain("much", "last").add({**STARTED, "rank": 0}, *steps, loss, ENDED))
    deployment.wait_for_views("much")
    page = visitor.open("/job?id=much")

    notes = page.get_by_role("note")
    expect(notes.nth(0)).to_contain_text("at most 1,000 steps are shown: reports of further ones")
    expect(notes.nth(1)).to_contain_text("at most 100 attempts are shown: earlier ones")
    expect(page.get_by_text("1,200 given up")).to_be_visible()
    expect(page.get_by_text("more than the quota: 1,200 events")).to_be_visible()
    page = visitor.open("/?q=much")
    expect(page.get_by_role("row").filter(has_text="much")).to_contain_text("at most 1,000 steps")


def test_a_run_that_was_asked_to_end_is_not_over(deployment: Deployment, visitor: Visitor) -> None:
    with closing(open_log(deployment.settings)) as log:
        chain = asked(log, "asked")
        page = visitor.open("/job?id=asked")
        expect(page.get_by_role("note")).to_contain_text("its own end has not come yet")
        expect(page.get_by_text("Cancelled").first).to_be_visible()
        log.append(chain.add(SAID))
        expect(page.get_by_role("note")).to_have_count(0)
        expect(page.get_by_text("Running").first).to_be_visible()
        log.append(chain.add(ENDED))
        expect(page.get_by_text("Completed").first).to_be_visible()
