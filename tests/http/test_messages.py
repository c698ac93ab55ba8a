from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest

from tests.support.jobs import EPOCHS, HOSTILE, MARKUP, MESSAGES

if TYPE_CHECKING:
    import httpx

TRAINED = "/api/jobs/trained/messages"
LAST = 2**63 - 1


def contents(api: httpx.Client, **asked: Any) -> list[str]:
    return [found["content"] for found in api.get(TRAINED, params=asked).json()["messages"]]


def test_the_last_page_comes_first_and_paging_back_finds_all(api: httpx.Client) -> None:
    pages: list[list[str]] = []
    before = None
    while True:
        asked = {"limit": 5, **({"before": before} if before else {})}
        page = api.get(TRAINED, params=asked).json()
        pages.insert(0, [found["content"] for found in page["messages"]])
        if not page["has_more"]:
            break
        before = page["messages"][0]["position"]

    everything = contents(api, after="0-0.0", limit=1000)
    assert [len(page) for page in pages] == [MESSAGES % 5, 5, 5]
    assert list(chain.from_iterable(pages)) == everything
    assert everything == [f"epoch {n}" for n in range(10, EPOCHS + 1, 10)] + [f"Done in {EPOCHS}"]


def test_paging_forward_finds_all_once(api: httpx.Client) -> None:
    found: list[str] = []
    after = "0-0.0"
    while True:
        page = api.get(TRAINED, params={"after": after, "limit": 4}).json()
        found += [one["content"] for one in page["messages"]]
        if not page["has_more"]:
            break
        after = page["messages"][-1]["position"]

    assert found == contents(api, limit=1000)


def test_levels_may_be_repeated_or_joined(api: httpx.Client) -> None:
    warnings = contents(api, level="warning")

    assert warnings == [f"epoch {n}" for n in range(10, EPOCHS + 1, 20)]
    assert contents(api, level=["warning", "info"]) == contents(api)
    assert contents(api, level="warning,info") == contents(api)


def test_text_step_language_and_a_replays_position_narrow_the_feed(api: httpx.Client) -> None:
    tenth = api.get(TRAINED, params={"text": "epoch 10"}).json()["messages"][0]["position"]

    assert contents(api, text="EPOCH 1") == ["epoch 10", "epoch 100", "epoch 110", "epoch 120"]
    assert contents(api, step="fit") == []
    assert contents(api, lang="ko-KR")[-1] == f"{EPOCHS} 만에 끝"
    assert contents(api, until=tenth) == ["epoch 10"]


def test_dev_events_come_when_they_are_asked_for(api: httpx.Client) -> None:
    def kinds(**asked: Any) -> set[str]:
        page = api.get(TRAINED, params={"limit": 1000, **asked}).json()["messages"]
        return {found["kind"] for found in page}

    assert kinds() == {"message"}
    assert kinds(dev=True) == {"message", "dev_event", "log"}


def test_all_come_as_lines_of_json(api: httpx.Client) -> None:
    asked = {"dev": True, "limit": 1}
    answer = api.get(TRAINED, params=asked, headers={"Accept": "application/x-ndjson"})

    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    page = api.get(TRAINED, params={"dev": True, "limit": 1000}).json()["messages"]
    assert lines == page
    assert len(lines) == MESSAGES + EPOCHS + 1


def test_a_hostile_message_comes_as_it_is(api: httpx.Client) -> None:
    where = f"/api/jobs/{quote(HOSTILE, safe='')}/messages"
    first, *_ = api.get(where, params={"dev": True}).json()["messages"]

    assert first["content"].startswith(MARKUP)
    assert len(first["content"]) == len(MARKUP) + 1 + 100_000
    assert first["step"] == first["key"] == MARKUP


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"level": "loud"},
        {"level": "info,"},
        {"after": "now"},
        {"before": f"{2**64}-0.0"},
        {"until": "1-1.1.1"},
        {"dev": "perhaps"},
        {"text": "\0"},
        {"lang": "k" * 1001},
    ],
)
def test_what_is_not_allowed_is_a_problem_that_names_it(
    api: httpx.Client, asked: dict[str, Any]
) -> None:
    answer = api.get(TRAINED, params=asked)

    assert answer.status_code == 422
    assert next(iter(asked)) in str(answer.json()["allowed"])


@pytest.mark.parametrize("place", [f"{LAST}-{LAST}.2147483647", f"{2**64 - 1}-0.9999999999"])
def test_positions_behind_all_that_a_database_can_hold_are_the_end(
    api: httpx.Client, place: str
) -> None:
    assert contents(api, after=place) == []
    assert contents(api, before=place) == contents(api)
    assert contents(api, until=place) == contents(api)
