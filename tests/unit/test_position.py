"""Positions: order, printed form, what is no position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.entries.position import BEGINNING, Position, Positions

numbers = st.integers(0, 2**64 - 1)
positions = st.builds(Position, numbers, numbers, st.integers(0, 10**10 - 1))


@given(position=positions)
def test_a_position_is_read_as_it_is_printed(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_the_printed_form_is_written_down() -> None:
    assert str(Position(1763880000000, 0, 3)) == "1763880000000-0.3"
    assert Position(1763880000000, 12, 3).entry_id == "1763880000000-12"
    assert Position.parse("1763880000000-12") == Position(1763880000000, 12, 0)


def test_positions_are_ordered_as_numbers_and_not_as_text() -> None:
    ninth, tenth = Position.parse("5-9.0"), Position.parse("5-10.0")

    assert ninth < tenth
    assert str(ninth) > str(tenth)
    assert BEGINNING < Position(0, 0, 1) < Position(0, 1, 0) < ninth


@given(one=positions, two=positions)
def test_an_event_of_a_later_entry_is_later(one: Position, two: Position) -> None:
    assert (one < two) == ((one.ms, one.seq, one.index) < (two.ms, two.seq, two.index))


@pytest.mark.parametrize(
    "text",
    ["", "5", "5-", "-5", "5-1.", "5-1.2.3", " 5-1", "5-1\n", "a-b", "+5-1", "0x5-1", f"{2**64}-0"],
)
def test_what_is_no_position_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no position") as caught:
        Position.parse(text)
    assert repr(text) in str(caught.value)


def test_positions_are_kept_as_columns_and_read_as_positions() -> None:
    found = Positions([1, 2, 3], [0, 0, 7], [4, 5, 6])
    as_list = [Position(1, 0, 4), Position(2, 0, 5), Position(3, 7, 6)]

    assert found == as_list
    assert list(found) == as_list
    assert (len(found), found[-1], list(found[1:])) == (3, as_list[-1], as_list[1:])
    assert as_list[1] in found
    assert found.index(as_list[2]) == 2
    assert found.texts() == [str(place) for place in as_list]
    assert found != as_list[:2]
    assert found != 5
    with pytest.raises(IndexError):
        found[3]
