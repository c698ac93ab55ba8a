from __future__ import annotations

import orjson
import pytest

from consumers.api.live import frames
from consumers.api.shapes import Line
from synapse_stream.entries.position import Position
from tests.live.lines import line, one_frame, places

AT = Position(5, 1, 2)


def test_an_event_carries_its_producers_own_bytes() -> None:
    own = b'{"seq" : 1, "type":"metrics","values":{"loss":1.50}}'

    encoded = frames.event(Line(AT, 'p"1', "metrics", own), (2, 3))

    data = b'{"position":"5-1.2","producer":"p\\"1","attempt":2,"rank":3,"event":' + own + b"}"
    assert encoded == b"id: 5-1.2\nevent: event\ndata: " + data + b"\n\n"


def test_a_carriage_return_between_tokens_does_not_end_the_line() -> None:
    encoded = frames.event(Line(AT, "p", "x", b'{"type":\r"x"}'), (1, 0))

    assert b"\r" not in encoded
    assert orjson.loads(encoded.split(b"data: ")[1])["event"] == {"type": "x"}


@pytest.mark.parametrize("for_developers", [True, False])
def test_a_frame_gives_what_stands_behind_a_position(for_developers: bool) -> None:
    frame = one_frame(10, 3, ("message", "dev_event", "log", "metrics"))
    shown = "0123" if for_developers else "03"
    every = [f"{ms}-0.{index}" for ms in (10, 11, 12) for index in shown]

    def after(position: Position | None) -> list[str]:
        return places(frame.after(position, for_developers=for_developers))

    assert after(None) == after(Position(9, 9, 9)) == every
    assert after(Position(10, 0, 3)) == [place for place in every if not place.startswith("10")]
    assert after(Position(12, 0, 3)) == []


def test_all_get_the_same_object() -> None:
    frame = one_frame(10, 3, ("message", "dev_event"))

    for who in (True, False):
        first = frame.after(None, for_developers=who)
        assert frame.after(None, for_developers=who) is first
    plain = one_frame(10, 3)
    assert plain.after(None, for_developers=False) is plain.after(None, for_developers=True)


def test_a_frame_knows_the_ends_of_its_entries() -> None:
    frame = one_frame(10, 2, ("message", "metrics"))

    assert frame.last == Position(11, 0, 1)
    assert frame.is_last_of_entry(Position(10, 0, 1))
    assert not frame.is_last_of_entry(Position(10, 0, 0))
    assert not frame.is_last_of_entry(Position(9, 0, 0))


def test_an_entry_without_anything_fresh_only_moves_on() -> None:
    frame = frames.frame(
        [(Position(1, 0), [line(Position(1, 0), {"type": "x"})]), (Position(2, 0, 7), [])],
        lambda _: (1, 0),
    )

    assert frame.last == Position(2, 0, 7)
    assert frame.after(Position(1, 0), for_developers=True) == b""
