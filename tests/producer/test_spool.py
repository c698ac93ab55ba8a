"""The spool accepts in order, gives back from any number, and stays within its bounds."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from consumers.folding.checks import LATEST_TIME
from synapse_stream.errors import RunEnded
from synapse_stream.events.encoding import encode
from synapse_stream.producer.adoption.case import Case
from synapse_stream.producer.adoption.search import Pair
from synapse_stream.producer.adoption.verdict import Kind
from synapse_stream.producer.spool.doorbell import Doorbell
from synapse_stream.producer.spool.quota import Quota
from synapse_stream.producer.spool.shelf import Room, Shelf
from synapse_stream.producer.spool.spool import Spool
from synapse_stream.settings import MIB, Settings
from tests.support.homes import make, segments

if TYPE_CHECKING:
    from synapse_stream.producer.spool.segment import Segment

READ_BYTES = 512 * 1024


class AmpleRoom(Room):
    """Memory that others need nothing of, however full the disk of the tests is."""

    def _free(self) -> int:
        return 1 << 40


class Desk:
    """A spool with homes under a test's own directory."""

    def __init__(
        self, path: Path, *, with_disk: bool = True, quota: int = 0, **settings: float
    ) -> None:
        self.settings = Settings(data_dir=path, **settings)  # type: ignore[arg-type]
        homes = make(path / "hot", path / "cold" if with_disk else None)
        assert homes.hot is not None
        self.hot, self.cold = homes.hot, homes.cold
        self.shelf = Shelf(self.settings, hot=self.hot, cold=self.cold)
        self.shelf._room = AmpleRoom(None)
        self.shelf._memory_budget = self.shelf._budget(0)
        self.spool = Spool("job-1", self.shelf, Doorbell(), quota=Quota(quota))

    def report(self, text: str, kind: str = "message") -> None:
        (body,) = encode(kind, None, {"content": text})
        self.spool.append(kind, body)

    def fill(self, megabytes: float, kind: str = "message") -> int:
        count = int(megabytes * MIB / 100_000)
        for _ in range(count):
            self.report("x" * 100_000, kind)
        return count

    def events(self, number: int = 0) -> list[dict[str, object]]:
        events = []
        while (chunk := self.spool.read(number, READ_BYTES)) is not None:
            assert chunk.last - chunk.first + 1 == chunk.data.count(b"\n")
            events += [orjson.loads(line) for line in chunk.data.splitlines()]
            number = chunk.last + 1
        return events


def test_events_come_back_numbered_and_in_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in range(100):
        desk.report(str(number))

    events = desk.events()

    assert [event["seq"] for event in events] == list(range(100))
    assert [event["content"] for event in events] == [str(n) for n in range(100)]


@pytest.mark.parametrize(
    ("clock_ns", "time_us"),
    [(-1, 0), (-(10**18), 0), (1_999, 1), (2**62, 2**62 // 1000), (2**63, 2**53 - 1)],
)
def test_a_clock_gone_wrong_gives_times_that_views_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock_ns: int, time_us: int
) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setattr(time, "time_ns", lambda: clock_ns)
    desk.report("when?")
    desk.spool.seal("end", encode("end", None, {"status": "completed"})[0])

    assert [event["time"] for event in desk.events()] == [time_us, time_us]
    assert 0 <= time_us < LATEST_TIME


def test_reading_goes_on_from_any_number_across_segments(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB)
    count = desk.fill(5)

    for number in (0, 1, 7, 25, count - 1):
        assert [event["seq"] for event in desk.events(number)] == list(range(number, count))
    assert desk.spool.read(count, READ_BYTES) is None


def test_a_line_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.report("kept")

    (path,) = segments(desk.hot)
    assert b'"content":"kept"}\n\0' in path.read_bytes()


def test_threads_get_numbers_without_gap_or_double(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    def report_many(name: str) -> None:
        for number in range(500):
            desk.report(f"{name}-{number}")

    threads = [threading.Thread(target=report_many, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = desk.events()
    assert [event["seq"] for event in events] == list(range(2000))
    for name in "abcd":
        mine = [e["content"] for e in events if str(e["content"]).startswith(name)]
        assert mine == [f"{name}-{number}" for number in range(500)]


def test_a_signal_handler_may_report_within_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock stands in for the bytecode at which CPython runs a handler: a call in `append`."""
    desk = Desk(tmp_path)
    real = time.time_ns
    handlers = [lambda: desk.report("from the handler")]

    def interrupted() -> int:
        if handlers:
            handlers.pop()()
        return real()

    monkeypatch.setattr(time, "time_ns", interrupted)
    desk.report("from the plugin")

    events = desk.events()
    assert [event["seq"] for event in events] == [0, 1]
    assert {event["content"] for event in events} == {"from the handler", "from the plugin"}


def test_a_sealed_spool_takes_nothing_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.report("one")
    (body,) = encode("end", None, {"status": "completed"})
    desk.spool.seal("end", body)
    desk.spool.seal("end", body)

    with pytest.raises(RunEnded, match="'job-1' has ended"):
        desk.report("late")

    events = desk.events()
    assert [event["type"] for event in events] == ["message", "end"]
    assert events[-1]["count"] == 2


def test_full_segments_move_to_disk_and_read_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    count = desk.fill(3.5)

    desk.spool.tidy(0.0)

    assert desk.cold is not None
    assert len(segments(desk.cold)) >= 1
    assert len(segments(desk.hot)) <= 3
    assert [event["seq"] for event in desk.events()] == list(range(count))


def test_the_rewind_window_is_bounded_by_size(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, rewind_bytes=2 * MIB)
    count = desk.fill(6)
    desk.spool.acknowledge(count - 1)

    desk.spool.tidy(0.0)

    first = desk.spool.read(0, READ_BYTES)
    assert first is not None
    assert 0 < first.first < count
    assert desk.events(first.first)[-1]["seq"] == count - 1


def test_the_rewind_window_is_bounded_by_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, rewind_seconds=10.0)
    count = desk.fill(3)
    desk.spool.acknowledge(count - 1)

    desk.spool.tidy(0.0)
    kept = desk.spool.read(0, READ_BYTES)
    desk.spool.tidy(11.0)
    later = desk.spool.read(0, READ_BYTES)

    assert kept is not None
    assert kept.first == 0
    assert later is not None
    assert later.first > 0


def test_what_the_server_has_lost_is_not_dropped_as_if_it_had_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, rewind_seconds=10.0)
    count = desk.fill(3)
    desk.spool.acknowledge(count - 1)
    desk.spool.tidy(0.0)
    desk.spool.acknowledge(-1)

    desk.spool.tidy(100.0)

    assert [event["seq"] for event in desk.events()] == list(range(count))


def test_reading_goes_on_behind_segments_given_up_between_others(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    count = desk.fill(4.2)
    desk.spool.acknowledge(count - 1)
    desk.spool.tidy(0.0)  # the first go to disk
    desk.fill(3)  # the next are given up, to make room
    pairs = itertools.pairwise(desk.shelf.segments)
    ((missing, behind),) = [
        (before.last + 1, after.first)
        for before, after in pairs
        if before.last is not None and before.last + 1 < after.first
    ]

    chunk = desk.spool.read(missing, READ_BYTES)

    assert chunk is not None
    assert chunk.first == behind


def test_what_is_not_acknowledged_is_never_dropped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, rewind_bytes=0, rewind_seconds=0.001)
    count = desk.fill(5)
    desk.spool.acknowledge(3)

    desk.spool.tidy(0.0)
    desk.spool.tidy(100.0)

    assert [event["seq"] for event in desk.events(4)] == list(range(4, count))


def test_a_full_spool_sheds_by_type_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, with_disk=False, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    desk.fill(4.5)
    before = desk.spool.next

    for _ in range(50):
        for kind in ("dev_event", "metrics", "progress", "message"):
            desk.report("y", kind)
    desk.spool.report_loss()

    events = desk.events(before)
    assert [e["type"] for e in events] == ["message"] * 50 + ["loss"]
    # the newest metrics and progress are counted only when they can no longer be recorded
    assert events[-1]["counts"] == {"dev_event": 50, "metrics": 49, "progress": 49}


def test_messages_are_counted_when_no_byte_is_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path, with_disk=False, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    offered = desk.fill(12)
    accepted = desk.spool.next
    assert accepted < offered

    desk.spool.acknowledge(accepted - 1)
    desk.spool.tidy(0.0)
    desk.fill(0.2)
    desk.spool.report_loss()

    losses = [event for event in desk.events(accepted) if event["type"] == "loss"]
    assert [loss["counts"] for loss in losses] == [{"message": offered - accepted}]


def test_nothing_is_shed_while_the_disk_hangs_and_the_server_takes_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    count = 0

    for _ in range(20):  # the keeper waits for the disk: nobody calls `tidy`
        count = desk.fill(1)
        desk.spool.acknowledge(desk.spool.next - 1)

    assert desk.spool.next == 20 * count
    assert sum(path.stat().st_size for path in segments(desk.hot)) <= 5 * MIB


def test_a_quota_sheds_what_is_beyond_a_minutes_worth_until_the_mean_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e6
    monkeypatch.setattr(time, "monotonic", lambda: now)
    desk = Desk(tmp_path, spool_max_bytes=256 * MIB, quota=100_000)  # 6 MB a minute
    desk.fill(5, "metrics")
    desk.spool.report_loss()
    desk.report("all of it is there", "dev_event")
    assert [event for event in desk.events() if event["type"] == "loss"] == []

    desk.fill(30, "metrics")
    desk.spool.report_loss()
    number = desk.spool.next
    desk.report("no", "dev_event")
    desk.fill(1, "metrics")
    desk.report("newest", "metrics")
    desk.report("yes", "message")
    desk.spool.report_loss()
    assert [event["type"] for event in desk.events(number)] == ["message", "loss"]

    number = desk.spool.next
    now += 60
    desk.spool.report_loss()
    (newest,) = desk.events(number)
    assert newest["content"] == "newest"
    desk.report("again", "dev_event")
    assert desk.events(number)[-1]["content"] == "again"


def test_the_last_progress_is_recorded_once_there_is_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path, with_disk=False, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    desk.fill(4.5)
    desk.report("99 %", "progress")
    desk.report("100 %", "progress")
    number = desk.spool.next

    desk.spool.acknowledge(number - 1)
    desk.spool.report_loss()

    events = desk.events(number)
    assert [event["content"] for event in events if event["type"] == "progress"] == ["100 %"]
    assert [event["counts"] for event in events if event["type"] == "loss"] == [{"progress": 1}]


def test_a_loss_that_finds_no_room_is_said_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path, with_disk=False, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    offered = desk.fill(12)
    accepted = desk.spool.next
    while desk.spool.append("loss", b'"type":"loss","v":1,"counts":{}}'):
        pass
    desk.spool.report_loss()
    number = desk.spool.next

    desk.spool.acknowledge(number - 1)
    desk.spool.tidy(0.0)
    desk.spool.report_loss()

    losses = [event for event in desk.events(number) if event["type"] == "loss"]
    assert [loss["counts"] for loss in losses] == [{"message": offered - accepted}]


def test_parking_leaves_everything_on_disk_and_unlocked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.spool.prepare()
    (body,) = encode("end", None, {"status": "completed"})
    desk.spool.seal("end", body)

    desk.spool.park()

    assert not desk.hot.path.exists()
    assert desk.cold is not None
    with Case(Pair(None, desk.cold.path.parent), "p1", tmp_path) as case:
        assert case.verdict.kind is Kind.WHOLE  # nothing else is needed
    (path,) = segments(desk.cold)
    assert path.read_bytes().endswith(b'"type":"end","v":1,"status":"completed"}\n')


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_a_parked_spool_holds_no_memory(tmp_path: Path) -> None:
    def mapped() -> list[str]:
        maps = Path("/proc/self/maps").read_text().splitlines()
        return [line for line in maps if str(tmp_path) in line]

    desk = Desk(tmp_path)
    desk.spool.prepare()
    desk.fill(1.5)  # so that there is a spare segment
    desk.spool.prepare()
    (body,) = encode("end", None, {"status": "completed"})
    desk.spool.seal("end", body)
    assert mapped()

    desk.spool.park()

    assert mapped() == []
    with pytest.raises(RunEnded):
        desk.report("late")


def test_the_spare_segment_is_used_and_not_left_behind(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB)
    desk.fill(2.3)
    before = len(segments(desk.hot))
    desk.spool.prepare()
    desk.spool.prepare()
    assert len(segments(desk.hot)) == before + 1

    desk.fill(0.6)
    assert len(segments(desk.hot)) == before + 1


def test_the_first_segment_is_small_and_each_is_larger_than_the_one_before(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=64 * MIB)
    for _ in range(20_000):
        desk.report("x" * 100)

    sizes = [path.stat().st_size // 1024 for path in segments(desk.hot)]
    assert sizes == [64, 128, 256, 512, 1024, 1024, 1024][: len(sizes)]
    assert len(sizes) >= 5


def test_an_event_that_is_larger_than_the_next_segment_gets_one_that_it_fits_into(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.report("x" * 250_000)
    desk.spool.prepare()
    desk.report("small")
    desk.report("y" * 250_000)

    assert [len(str(event["content"])) for event in desk.events()] == [250_000, 5, 250_000]


def test_a_spool_in_which_nothing_happens_gives_memory_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path, spool_max_bytes=64 * MIB)
    count = desk.fill(12)
    desk.spool.prepare()
    desk.spool.acknowledge(count - 1)
    desk.spool.tidy(0.0)
    assert sum(path.stat().st_size for path in segments(desk.hot)) > MIB

    desk.spool.tidy(10.0)

    assert [path.stat().st_size for path in segments(desk.hot)] == [64 * 1024]
    desk.report("later")
    assert [event["seq"] for event in desk.events()] == list(range(count + 1))


def test_a_signal_handler_may_report_while_a_segment_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its report rolls first; the outer one must not put an older segment behind the newer."""
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB)
    desk.fill(0.95)
    create = desk.shelf.create
    handlers = [lambda: desk.report("x" * 100_000)]

    def interrupted(index: int, at_least: int = 0) -> Segment:
        if handlers:
            handlers.pop()()
        return create(index, at_least)

    monkeypatch.setattr(desk.shelf, "create", interrupted)
    count = desk.fill(3)

    assert [segment.index for segment in desk.shelf.segments] == sorted(
        {segment.index for segment in desk.shelf.segments}
    )
    assert [event["seq"] for event in desk.events()] == list(range(9 + count + 1))


def test_an_interrupt_while_a_segment_is_made_loses_only_its_own_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB)
    desk.fill(1)

    def interrupted(_index: int, _at_least: int = 0) -> Segment:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(desk.shelf, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.fill(1)
    accepted = desk.spool.next
    count = desk.fill(1)

    assert [event["seq"] for event in desk.events()] == list(range(accepted + count))


def test_an_interrupted_end_is_no_end_and_may_be_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    (body,) = encode("end", None, {"status": "completed"})

    def interrupted() -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.spool.seal("end", body)
    desk.report("still open")
    desk.spool.seal("end", body)

    assert [event["type"] for event in desk.events()] == ["message", "end"]


@pytest.mark.parametrize("harm", ["deleted", "emptied", "cut in a line"])
def test_a_file_that_somebody_harmed_costs_only_what_it_held(tmp_path: Path, harm: str) -> None:
    desk = Desk(tmp_path, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    count = desk.fill(4)
    desk.spool.tidy(0.0)
    assert desk.cold is not None
    first, second = segments(desk.cold)[:2]
    behind = orjson.loads(second.read_bytes().partition(b"\n")[0])["seq"]
    if harm == "deleted":
        first.unlink()
    else:
        first.write_bytes(b"" if harm == "emptied" else first.read_bytes()[:1000])

    chunk = desk.spool.read(0, READ_BYTES)

    assert chunk is not None
    assert chunk.first == behind
    assert [event["seq"] for event in desk.events(behind)] == list(range(behind, count))


def test_a_burst_sheds_nothing_while_the_disk_takes_it(tmp_path: Path) -> None:
    """The keeper is only late: what it has not moved yet is no pressure."""
    desk = Desk(tmp_path, spool_max_bytes=64 * MIB, spool_memory_bytes=4 * MIB)

    count = desk.fill(7, "dev_event")

    assert len(desk.events()) == count


def test_what_was_shed_is_said_before_the_end_and_the_end_counts_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, with_disk=False, spool_max_bytes=16 * MIB, spool_memory_bytes=4 * MIB)
    desk.fill(4.5)
    for _ in range(7):
        desk.report("y", "dev_event")
    number = desk.spool.next
    (body,) = encode("end", None, {"status": "completed"})

    desk.spool.seal("end", body)

    loss, end = desk.events(number)
    assert (loss["type"], loss["counts"]) == ("loss", {"dev_event": 7})
    assert (end["type"], end["count"]) == ("end", number + 2)
