from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from synapse_stream.log.event_log import open_log
from synapse_stream.position import BEGINNING
from tests.http.scene import EPOCHS, HOSTILE

if TYPE_CHECKING:
    import httpx

    from synapse_stream.settings import Settings

TRAINED = "/api/jobs/trained/events"
NDJSON = {"Accept": "application/x-ndjson"}


def read_all(api: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = "0-0.0"
    while True:
        page = api.get(TRAINED, params={"after": after, **asked}).json()
        found += page["events"]
        if page["next"] is None:
            return found
        after = page["next"]


def test_every_event_comes_once_and_with_its_producers_own_bytes(
    api: httpx.Client, filled: Settings
) -> None:
    log = open_log(filled)
    entries = log.read_after("trained", BEGINNING, limit=1000)
    log.close()
    written = [line for entry in entries if entry.batch for line in entry.batch.lines()]

    answer = api.get(TRAINED, headers=NDJSON)
    found = answer.content.splitlines()

    assert len(found) == len(written)
    for line, own in zip(found, written, strict=True):
        assert line.endswith(b'"event":' + own + b"}")


def test_pages_of_any_size_hold_the_same(api: httpx.Client) -> None:
    whole = [orjson.loads(line) for line in api.get(TRAINED, headers=NDJSON).content.splitlines()]

    assert read_all(api, limit=1000) == whole
    assert read_all(api, limit=77) == whole


def test_a_type_and_an_end_narrow_them(api: httpx.Client) -> None:
    messages = read_all(api, type="dev_event", limit=50)
    tenth = messages[9]["position"]

    assert len(messages) == EPOCHS
    assert {found["event"]["type"] for found in messages} == {"dev_event"}
    assert read_all(api, type="dev_event", until=tenth) == messages[:10]
    assert read_all(api, type="no such") == []


def test_what_cannot_be_read_comes_in_its_place(api: httpx.Client) -> None:
    answer = api.get(f"/api/jobs/{quote(HOSTILE, safe='')}/events").json()
    types = [found["event"]["type"] for found in answer["events"]]

    assert types[-7:] == ["undecodable"] * 6 + ["heartbeat"]
    assert "from the future" in types
    broken = answer["events"][-7]["event"]
    assert broken["raw"] == '{"seq":9,"type":"message"'
    assert broken["reason"].startswith("not JSON")
