"""Lines of older versions are read as the newest one, by everybody who reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.folding.fold import JobFold
from consumers.views.message_feed.fold import MessageFeedView
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.errors import DecodeError
from synapse_stream.events.types import EVENT_TYPES, Message, UnknownEvent, dump, parse
from synapse_stream.events.upcasts import STEPS, upcast
from tests.support.chains import Chain

if TYPE_CHECKING:
    from consumers.views.message_feed.rows import MessageRow

OLDEST: dict[str, Any] = {"seq": 0, "time": 5, "type": "message", "v": -1, "level": "info"}
OLDEST["words"] = ["one", "two"]


def join_words(event: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(event.pop("words"))
    return {**event, "text": text}


def name_content(event: dict[str, Any]) -> dict[str, Any]:
    event["content"] = event.pop("text")
    return event


@pytest.fixture
def _steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, ("message", -1), join_words)
    monkeypatch.setitem(STEPS, ("message", 0), name_content)


def fold(*events: dict[str, Any]) -> tuple[list[MessageRow], list[str]]:
    fold = JobFold(MessageFeedView, "job-1", None)
    parked = fold.apply(RecordedBatch(1, 0, Chain("job-1").add(*events), None, None))
    return fold.rows(), [one.reason for one in parked]


@pytest.mark.usefixtures("_steps")
def test_an_older_event_is_read_step_by_step() -> None:
    event = parse(orjson.dumps(OLDEST))

    assert isinstance(event, Message)
    assert (event.content, event.v) == ("one two", 1)
    assert event.model_extra == {}


@pytest.mark.usefixtures("_steps")
def test_an_older_event_is_folded_as_the_newest() -> None:
    newest = {**OLDEST, "v": 1, "content": "one two"}

    (old,), none = fold(OLDEST)
    (new,), _ = fold(newest)

    assert none == []
    assert old == new


@pytest.mark.usefixtures("_steps")
def test_an_older_event_that_is_damaged_is_parked_and_the_others_are_folded() -> None:
    damaged = {"type": "message", "v": 0}

    rows, parked = fold(damaged, OLDEST)

    assert [row.content for row in rows] == ["one two"]
    assert parked == ["event of type 'message' and version 0 is damaged: KeyError('text')"]
    with pytest.raises(DecodeError, match="version 0 is damaged"):
        parse(orjson.dumps({**damaged, "seq": 1, "time": 5}))


@pytest.mark.usefixtures("_steps")
@pytest.mark.parametrize(
    "event",
    [
        {"seq": 0, "time": 5, "type": "message", "v": 2, "body": {"content": 2**70}},
        {"seq": 0, "time": 5, "type": "hologram", "v": 1, "depth": 3},
    ],
    ids=["newer version", "unknown type"],
)
def test_what_a_newer_producer_wrote_passes_as_it_came(event: dict[str, Any]) -> None:
    assert upcast(dict(event)) == event
    line = json.dumps(event, separators=(",", ":")).encode()
    read = parse(line)
    assert isinstance(read, UnknownEvent)
    assert dump(read) == line


def test_every_step_leads_to_a_version_that_is_known() -> None:
    for kind, version in STEPS:
        assert version < EVENT_TYPES[kind].model_fields["v"].default
