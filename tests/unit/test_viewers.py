from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumers.api import viewers
from consumers.api.live import frames
from consumers.api.shapes import Line
from synapse_stream.entries.position import Position
from synapse_stream.events.types import EVENT_TYPES

HIDDEN = {"dev_event", "log", "act", "outcome"}
FOR_DEVELOPERS = {"identity"}  # by whose token it reports, with the proof


def line(kind: str, **fields: Any) -> Line:
    event = orjson.dumps({"type": kind, "seq": 0, "time": 1, "v": 1, **fields})
    return Line(Position(1, 0, fields.get("seq", 0)), "p", kind, event)


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_viewers_get_what_is_listed_of_every_type_that_is(kind: str) -> None:
    model = EVENT_TYPES[kind]
    known = line(
        kind, **dict.fromkeys(model.model_fields.keys() - FOR_DEVELOPERS, 1) | {"type": kind}
    )
    more = line(kind, internal={"memory": 1}, identity={"by": "somebody"})

    if kind in HIDDEN:
        assert known.for_viewers is None
        return
    assert known.for_viewers is known
    seen = more.for_viewers
    assert seen is not None
    assert orjson.loads(seen.json) == {"type": kind, "seq": 0, "time": 1, "v": 1}


@pytest.mark.parametrize("kind", ["from the future", "undecodable", "", "Message"])
def test_viewers_get_no_type_that_is_not_listed(kind: str) -> None:
    assert line(kind).for_viewers is None


def test_a_frame_for_viewers_has_less_where_that_must_be() -> None:
    lines = [
        line("message", content="one"),
        line("dev_event", message="hidden"),
        line("message", content="two", internal="hidden"),
        line("message", content="three"),
    ]
    entries = [(Position(1, 0, 1), lines[:2]), (Position(2, 0, 1), lines[2:])]
    made = frames.frame(entries, lambda _: (1, 0))

    whole = made.after(None, for_developers=True)
    seen = made.after(None, for_developers=False)
    rest = made.after(Position(1, 0, 1), for_developers=False)

    assert whole.count(b"hidden") == 2
    assert b"hidden" not in seen + rest
    assert [seen.count(part) for part in (b'"one"', b'"two"', b'"three"')] == [1, 1, 1]
    assert [rest.count(part) for part in (b'"one"', b'"two"', b'"three"')] == [0, 1, 1]
    assert made.after(None, for_developers=True) is made.data


def test_viewers_get_no_field_of_a_state_that_is_not_listed() -> None:
    step = {"name": "fit", "percent": 1.0}
    known = {"job_id": "j", "attempts": [{"number": 1, "steps": [step], "labels": {"any": "key"}}]}
    more = orjson.loads(orjson.dumps(known))
    more["secret"] = 1
    more["attempts"][0]["secret"] = 1
    more["attempts"][0]["steps"][0]["secret"] = {"a": 1}

    assert viewers.job(known) is known
    assert viewers.job(more) == known
    assert viewers.job({"attempts": "text"}) == {"attempts": None}


def test_a_state_for_viewers_travels_beside_that_for_developers() -> None:
    frame = frames.restart("lost", Position(1, 0), b'{"secret":1}', b'{"seen":1}')

    assert b"secret" in frame.after(None, for_developers=True)
    assert b"secret" not in frame.after(None, for_developers=False)
    assert b"seen" in frame.after(None, for_developers=False)
    assert frame.after(None, for_developers=False).startswith(b"event: reset")
