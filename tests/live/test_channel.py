"""The frames that clients share: whoever joins somewhere misses and repeats nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from consumers.api.live import channel as module
from consumers.api.live.channel import Channel
from consumers.api.live.tracker import Snapshot, Tracker
from synapse_stream.entries.position import BEGINNING, Position
from tests.live.lines import one_frame, places

if TYPE_CHECKING:
    import pytest


def open_channel(at: Position = BEGINNING) -> Channel:
    tracker = cast("Tracker", SimpleNamespace(job_id="job"))
    return Channel(tracker, Snapshot(at, b"{}"))


def read_on(channel: Channel, number: int, met_at: Position | None = None) -> list[str]:
    """Take all there is."""
    found: list[str] = []
    while number < channel.following:
        chunk = channel.take(number, met_at, for_developers=True)
        assert chunk is not None
        found += places(b"".join(chunk.parts))
        number, met_at = chunk.following, chunk.met_at
    return found


@given(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 60))
def test_from_any_position_on_all_that_follows_is_there_once(sizes: list[int], at: int) -> None:
    channel = open_channel()
    ms = 10
    for size in sizes:
        channel.publish([one_frame(ms, size)], None)
        ms += size
    position = Position(at, 0)

    number = channel.find(position)

    assert number is not None
    wanted = [f"{each}-0.0" for each in range(max(10, at + 1), ms)]
    assert read_on(channel, number, position) == wanted


def test_old_frames_go_and_who_wants_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_BYTES", 1_000)
    channel = open_channel()
    for ms in range(10, 110):
        channel.publish([one_frame(ms, 1)], None)

    assert channel.following == 100
    assert channel.take(0, None, for_developers=True) is None
    assert channel.find(Position(20, 0)) is None
    number = channel.find(Position(105, 0))
    assert number is not None
    assert read_on(channel, number) == [f"{ms}-0.0" for ms in range(106, 110)]
    assert not channel.has(Position(20, 0))


def test_it_knows_positions_that_are_in_the_stream_for_sure() -> None:
    channel = open_channel(Position(5, 0))
    channel.publish([one_frame(10, 2, ("message", "metrics"))], None)

    assert channel.has(Position(5, 0))
    assert channel.has(Position(10, 0, 1))
    assert not channel.has(Position(10, 0, 0))
    assert not channel.has(Position(7, 0))
    assert not channel.has(Position(12, 0))


def test_who_follows_a_snapshot_gets_what_came_behind_it() -> None:
    channel = open_channel()
    channel.publish([one_frame(10, 2)], Snapshot(Position(11, 0), b"{}"))
    channel.publish([one_frame(12, 2)], None)

    assert places(channel.first(for_developers=True)) == ["11-0.0"]
    assert read_on(channel, channel.joined_at) == ["12-0.0", "13-0.0"]


def test_a_newer_run_state_takes_the_place_of_the_one_before() -> None:
    channel = open_channel()
    shown = (channel.first, channel.state)
    before = [show(for_developers=True) for show in shown]

    channel.publish([], Snapshot(Position(11, 0), b'{"newer":1}'))

    for show, old in zip(shown, before, strict=True):
        assert b"newer" not in old
        assert b'{"newer":1}' in show(for_developers=True)


def test_behind_a_restart_nothing_counts_that_was_before() -> None:
    channel = open_channel()
    channel.publish([one_frame(100, 3)], None)
    channel.restart(Snapshot(Position(90, 0), b"{}"))
    channel.publish([one_frame(95, 2)], None)

    assert read_on(channel, 0) == ["100-0.0", "101-0.0", "102-0.0", "90-0.0", "95-0.0", "96-0.0"]
    assert not channel.has(Position(101, 0))
    assert channel.has(Position(90, 0))
    assert channel.find(Position(89, 0)) is None
    assert read_on(channel, cast("Any", channel.find(Position(95, 0))), Position(95, 0)) == [
        "96-0.0"
    ]
    assert read_on(channel, 0, Position(101, 0))[:2] == ["102-0.0", "90-0.0"]
