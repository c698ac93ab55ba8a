"""What a reader's browser keeps and does: theme, and a notification at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.page.looking import job_path, violations

if TYPE_CHECKING:
    from tests.page.conftest import Visitor
    from tests.page.deployment import Deployment

_GROUND = "() => getComputedStyle(document.body).backgroundColor"
_NOTED = """
  globalThis.noted = [];
  globalThis.Notification = class {
    static permission = "default";
    static async requestPermission() { return (Notification.permission = "granted"); }
    constructor(title, { body }) { noted.push([title, body]); }
  };
"""


def test_the_theme_is_chosen_and_remembered(visitor: Visitor) -> None:
    page = visitor.open("/", color_scheme="dark")
    button = page.get_by_role("button", name="Theme:")
    expect(button).to_have_accessible_name("Theme: system")
    dark = page.evaluate(_GROUND)
    button.click()
    expect(button).to_have_accessible_name("Theme: light")
    light = page.evaluate(_GROUND)
    assert light != dark
    assert violations(page) == []
    page.reload()
    expect(button).to_have_accessible_name("Theme: light")
    assert page.evaluate(_GROUND) == light
    button.click()
    assert page.evaluate(_GROUND) == dark
    button.click()
    expect(button).to_have_accessible_name("Theme: system")


def test_who_asked_for_it_is_told_when_a_run_ends(visitor: Visitor, deployment: Deployment) -> None:
    with deployment.open_run("rings") as ctx:
        ctx.flush()
        deployment.wait_for_views("rings", "running")
        asked = visitor.open(job_path("rings"), init=_NOTED)
        silent = visitor.open(job_path("rings"), init=_NOTED)
        bell = asked.get_by_role("button", name="Notify me")
        bell.click()
        expect(bell).to_have_attribute("aria-pressed", "true")
        assert violations(asked) == []
        expect(silent.get_by_role("button", name="Notify me")).to_be_visible()

    for page in (asked, silent):
        expect(page.locator("#summary")).to_contain_text("Completed")
    ((title, body),) = asked.evaluate("noted")
    assert title == "Completed: rings"
    assert body.startswith("took ")
    assert silent.evaluate("noted") == []
