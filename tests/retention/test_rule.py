"""The rule of what may be trimmed, on all that a partition can be like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.views import names as projections
from synapse_stream.log.handshake import ServerReport
from synapse_stream.operating.retention import Cut, Room, find_cut, room_of

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId

NOW = 1_000_000
OVERLAP, HOT = 10_000, 60_000

places = st.none() | st.tuples(st.integers(0, NOW), st.integers(0, 3))


def cut_of(*positions: EntryId | None, newest: EntryId, overlap: int = OVERLAP) -> Cut:
    named = dict(zip(projections(), positions, strict=False))
    return find_cut(0, named, newest, NOW, overlap_ms=overlap, hot_ms=HOT)


@given(
    st.lists(places, min_size=1, max_size=4),
    st.tuples(st.integers(0, NOW), st.integers(0, 3)),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
)
def test_nothing_goes_that_a_projection_may_read_again_or_a_reader_wants_hot(
    positions: list[EntryId | None], newest: EntryId, overlap: int, hot: int
) -> None:
    named = dict(zip(projections(), positions, strict=False))

    cut = find_cut(0, named, newest, NOW, overlap_ms=overlap, hot_ms=hot)

    assert 0 <= cut.before_ms <= max(0, NOW - max(overlap, hot))
    for position in positions:
        if newest == (0, 0):
            continue
        if position is None or position > newest:
            assert cut.before_ms == 0
        elif position < newest:
            assert cut.before_ms <= max(0, position[0] - overlap)


def test_the_slowest_projection_decides_and_is_named() -> None:
    cut = cut_of((900_000, 0), (700_000, 5), (900_000, 0), newest=(950_000, 0))

    assert cut.before_ms == 690_000
    assert cut.held_back == {"metric-history": 250.0, "run-state": 50.0, "message-feed": 50.0}


def test_what_all_have_read_to_the_end_goes_when_it_is_no_longer_hot() -> None:
    quiet = (100_000, 7)

    assert cut_of(quiet, quiet, newest=quiet) == Cut(0, NOW - HOT, {})


def test_one_that_never_came_holds_everything() -> None:
    cut = cut_of((900_000, 0), None, newest=(900_000, 0))

    assert cut.before_ms == 0
    assert set(cut.held_back) == {"metric-history"}


def test_a_feed_that_lost_its_tail_keeps_all_until_projections_have_been_there() -> None:
    assert cut_of((900_000, 0), newest=(899_999, 9)).before_ms == 0


@pytest.mark.parametrize("position", [None, (900_000, 0)])
def test_an_empty_feed_holds_nothing_back(position: EntryId | None) -> None:
    assert cut_of(position, newest=(0, 0)) == Cut(0, NOW - HOT, {})


MIB = 1024 * 1024


def report(used: int, most: int = 0, machine: int = 0) -> ServerReport:
    return ServerReport("Valkey 9", "master", "noeviction", True, used, most, machine, None)


@pytest.mark.parametrize(
    ("found", "room"),
    [
        (report(100 * MIB), Room.AMPLE),
        (report(600 * MIB), Room.TIGHT),
        (report(100 * MIB, machine=8192 * MIB), Room.AMPLE),
        (report(600 * MIB, machine=8192 * MIB), Room.TIGHT),
        (report(300 * MIB, machine=512 * MIB), Room.TIGHT),
        (report(450 * MIB, machine=512 * MIB), Room.SCARCE),
        (report(20 * MIB, most=64 * MIB, machine=8192 * MIB), Room.AMPLE),
        (report(40 * MIB, most=64 * MIB, machine=8192 * MIB), Room.TIGHT),
        (report(60 * MIB, most=64 * MIB, machine=8192 * MIB), Room.SCARCE),
        (report(600 * MIB, most=4096 * MIB), Room.TIGHT),
    ],
)
def test_room_is_judged_by_the_limit_of_the_server_itself(found: ServerReport, room: Room) -> None:
    assert room_of(found, hot_bytes=512 * MIB) is room
