"""What is said of events that found room in the memory of the process only."""

from __future__ import annotations

import errno
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream.events.encoding import encode
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.spool.reserve import RESERVE
from synapse_stream.producer.spool.segment import Segment
from synapse_stream.settings import Settings
from tests.producer.test_spool import Desk
from tests.support.homes import segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def no_room_for_more(size: int = 100 * 1024) -> Iterator[None]:
    """Let every file that is larger, as the second segment is, be too large for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def left(desk: Desk) -> list[dict[str, Any]]:
    """Return the events that whoever comes next would find, in order of their segments."""
    homes = list(desk.shelf.homes())
    paths = {path.stem: path for home in homes for path in segments(home)}
    found = [paths[name] for name in sorted(paths)] + [home.path / RESERVE for home in homes]
    lines = [path.read_bytes().rstrip(b"\0") for path in found if path.exists()]
    return [orjson.loads(line) for content in lines for line in content.splitlines()]


def end(desk: Desk, **fields: Any) -> None:
    (body,) = encode("end", None, {"status": "failed", "error": None, "result": None, **fields})
    desk.spool.seal("end", body)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a spool of which events 0 and 1 are in a file and 2 to 4 are not."""
    desk = Desk(tmp_path)
    for _ in range(2):
        desk.report("x" * 30_000)
    with no_room_for_more():
        for _ in range(3):
            desk.report("y" * 110_000)
    return desk


def test_a_kill_leaves_a_word_of_what_was_in_memory_only(desk: Desk) -> None:
    *kept, loss = left(desk)

    assert [event["seq"] for event in kept] == [0, 1]
    assert (loss["type"], loss["seq"], loss["uncounted"], loss["counts"]) == ("loss", 2, True, {})
    assert desk.spool.mortal == 3
    assert "in the memory of this process" in desk.spool.place
    assert [event["seq"] for event in desk.events()] == [0, 1, 2, 3, 4]


def test_an_end_that_cannot_be_sent_is_left_behind_the_loss(desk: Desk) -> None:
    with no_room_for_more():
        end(desk, error="why", result={"x": "z" * 100_000})
        desk.spool.park()

    *kept, loss, last = left(desk)
    assert [event["seq"] for event in kept] == [0, 1]
    assert (loss["seq"], loss["uncounted"]) == (2, True)
    assert (last["type"], last["seq"], last["count"], last["error"]) == ("end", 3, 4, "why")


def test_what_the_server_has_is_not_missing(desk: Desk) -> None:
    desk.spool.acknowledge(3)

    assert left(desk)[-1]["seq"] == 4
    with no_room_for_more():
        end(desk)
        desk.spool.park()
    *_, loss, last = left(desk)
    assert [(event["type"], event["seq"]) for event in (loss, last)] == [("loss", 4), ("end", 5)]


def test_nothing_is_missing_where_the_server_has_all_that_is_in_memory(desk: Desk) -> None:
    """What is reported then is in a file, and no word may stand in its place."""
    for number in range(4):
        desk.report(f"{number}" * 600_000)  # the last ones find room again
    desk.spool.acknowledge(4)
    desk.report("z")

    assert [event["seq"] for event in left(desk)] == [0, 1, 5, 6, 7, 8, 9]


def test_where_there_never_was_room_that_is_said_from_the_first_event_on(tmp_path: Path) -> None:
    with no_room_for_more(10_000):
        desk = Desk(tmp_path)
        desk.report("x")

    assert [(event["type"], event["seq"]) for event in left(desk)] == [("loss", 0)]
    desk.spool.acknowledge(0)
    assert [(event["type"], event["seq"]) for event in left(desk)] == [("loss", 1)]


def test_an_end_that_is_in_a_file_is_said_once(desk: Desk) -> None:
    desk.report("z" * 600_000)
    end(desk)
    desk.spool.park()

    assert [event["type"] for event in left(desk)].count("end") == 1


def test_nothing_is_said_when_the_server_has_it_all(desk: Desk) -> None:
    with no_room_for_more():
        end(desk)
        desk.spool.acknowledge(desk.spool.next - 1)
        desk.spool.park()

    assert [event["seq"] for event in left(desk)] == [0, 1]


def test_what_finds_room_later_is_no_longer_missing(desk: Desk) -> None:
    desk.spool.tidy(0.0)

    assert desk.spool.mortal == 0
    assert [event["seq"] for event in left(desk)] == [0, 1, 2, 3, 4]
    assert "memory" not in desk.spool.place
    with no_room_for_more():
        desk.report("z" * 110_000)
    assert left(desk)[-1]["uncounted"]


def test_where_events_are_is_said_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory can be made here")
    settings = Settings(
        redis_url="redis://127.0.0.1:1",
        data_dir=tmp_path / "file" / "data",
        spool_memory_bytes=0,
        exit_wait_seconds=0.1,
    )
    logger = StreamLogger("job-1", settings)
    for _ in range(3):
        logger.log_message("lost")
    logger.end_log()

    assert "4 events are in the memory of this process only" in caplog.text
    assert "the next run on this host sends them" not in caplog.text


@pytest.mark.parametrize("error", ["why", "why" * 100_000])
def test_where_no_memory_is_left_the_reserve_takes_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    def refuse(*_: Any) -> Segment:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    desk = Desk(tmp_path)
    desk.report("x" * 65_300)
    monkeypatch.setattr(Segment, "create", refuse)
    for _ in range(3):
        desk.report("y" * 30_000)
    end(desk, error=error, result={"x": "z"})
    desk.spool.park()
    kept, loss, last = left(desk)

    assert [event["seq"] for event in (kept, loss, last)] == [0, 1, 2]
    assert (loss["type"], sum(loss["counts"].values())) == ("loss", 3)
    assert (last["type"], last["status"], last["count"]) == ("end", "failed", 3)
    assert last["error"].startswith("why")


def test_a_word_that_cannot_be_taken_back_is_made_void(desk: Desk) -> None:
    """The disk is away when the server has everything, and comes back later."""
    assert left(desk)[-1]["type"] == "loss"
    for home in desk.shelf.homes():
        home.path.rename(home.path.with_name("away"))
    end(desk)
    desk.spool.acknowledge(5)
    desk.spool.park()
    for home in desk.shelf.homes():
        home.path.with_name("away").rename(home.path)

    assert [event["type"] for event in left(desk)] == ["message", "message"]
