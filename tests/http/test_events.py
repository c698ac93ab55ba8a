from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from consumers.api import shapes
from consumers.api.routes import events
from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.event_log import open_log
from tests.support.chains import Chain
from tests.support.jobs import EPOCHS, HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import pytest

    from consumers.api.shapes import Line
    from synapse_stream.entries.entry import RecordedBatch
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


def test_a_rare_type_is_found_without_reading_what_cannot_hold_it(
    api: httpx.Client, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, chain = open_log(filled), Chain("typed")
    escaped = b'{"seq":9,"time":1,"v":1,"type":"run\\u005fstarted"}\n'
    for number in range(60):
        log.append(chain.add(*[{"type": "metrics", "values": {"x": number}}] * 50))
        if number in {7, 40}:
            log.append(chain.add({"type": "run_started"}, {"type": "message", "content": "x"}))
        if number == 20:
            log.append(chain.add_data(escaped, 1))
            log.append(chain.add({"type": "message", "content": "run_started"}))
    log.close()
    read: list[Any] = []
    lines = shapes.lines

    def counting(entry: RecordedBatch) -> Iterator[Line]:
        read.append(entry)
        return lines(entry)

    monkeypatch.setattr(shapes, "lines", counting)
    path = "/api/jobs/typed/events"
    asked = {"type": "run_started"}

    whole = api.get(path, params=asked).json()
    assert [found["event"]["seq"] for found in whole["events"]] == [400, 9, 2054]
    assert whole["next"] is None
    assert len(read) == 4
    assert len(api.get(path, params=asked, headers=NDJSON).content.splitlines()) == 3

    monkeypatch.setattr(events, "_MOST_LOOKED_AT", 40)
    pages = [api.get(path, params=asked).json()]
    while (after := pages[-1]["next"]) is not None:
        pages.append(api.get(path, params={**asked, "after": after}).json())
    assert 3 <= len(pages) <= 5
    assert [found for page in pages for found in page["events"]] == whole["events"]
