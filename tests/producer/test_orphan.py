"""What a dead process left is made whole: torn tails cut, unreadable lines replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.producer.home import Home, ProducerInfo
from synapse_stream.producer.orphan import Orphan, mend

if TYPE_CHECKING:
    from pathlib import Path

INFO = ProducerInfo("p1", "job-1", 0, "host", 7, "synapse", "redis://nowhere")


def line(number: int, kind: str = "message") -> bytes:
    return b'{"seq":%d,"time":1,"type":"%b","v":1}\n' % (number, kind.encode())


def left_behind(path: Path, *segments: bytes) -> Orphan:
    home = Home.create(path, INFO)
    for index, content in enumerate(segments):
        home.segment_path(index).write_bytes(content)
    return Orphan(INFO, [home])


def numbers(data: bytes) -> list[int]:
    return [orjson.loads(text)["seq"] for text in data.splitlines()]


def test_a_torn_tail_is_cut(tmp_path: Path) -> None:
    orphan = left_behind(tmp_path, line(0) + line(1) + b'{"seq":2,"ti\0\0\0')

    assert orphan.last == 1
    assert orphan.read(0, 1000) == (0, 1, line(0) + line(1))


def test_segments_follow_each_other(tmp_path: Path) -> None:
    orphan = left_behind(tmp_path, line(0) + line(1), line(2) + b"\0\0")

    assert orphan.read(1, 1000) == (1, 1, line(1))
    assert orphan.read(2, 1000) == (2, 2, line(2))
    assert orphan.read(3, 1000) is None


def test_a_missing_segment_shows_as_a_later_first_number(tmp_path: Path) -> None:
    orphan = left_behind(tmp_path, line(0), b"\0\0\0", line(5) + line(6))

    assert orphan.read(1, 1000) == (5, 6, line(5) + line(6))


def test_an_empty_spool_has_nothing(tmp_path: Path) -> None:
    orphan = left_behind(tmp_path, b"\0\0\0")

    assert orphan.last == -1
    assert not orphan.is_closed
    assert orphan.read(0, 1000) is None


@pytest.mark.parametrize(
    ("last_line", "is_closed"),
    [
        (b'{"seq":1,"time":2,"count":2,"type":"end","v":1}\n', True),
        (line(1, "producer_lost"), True),
        (line(1), False),
        (b'{"seq":1,"time":1,"type":"log","data":{"type":"end"}}\n', False),
    ],
)
def test_the_last_word_is_recognised(tmp_path: Path, last_line: bytes, *, is_closed: bool) -> None:
    assert left_behind(tmp_path, line(0) + last_line).is_closed is is_closed


def test_a_spool_closed_in_order_tells_its_end_without_opening_the_rest(tmp_path: Path) -> None:
    home = Home.create(tmp_path, INFO)
    home.segment_path(0).mkdir()  # opening it would be an error
    home.segment_path(1).write_bytes(line(4) + line(5, "end"))
    orphan = Orphan(INFO, [home])

    assert orphan.last == 5
    assert orphan.is_closed
    assert orphan.read(6, 1000) is None
    with pytest.raises(IsADirectoryError):
        orphan.read(5, 1000)


def test_a_lost_producer_is_declared_once_and_the_same_after_a_second_crash(tmp_path: Path) -> None:
    orphan = left_behind(tmp_path, line(0) + line(1))
    orphan.declare_lost(2)
    declared = orphan.read(2, 1000)
    assert declared is not None
    event = orjson.loads(declared.data)
    assert (event["type"], event["seq"], event["last"], event["pid"]) == ("producer_lost", 2, 1, 7)
    orphan.release()

    home = Home.take_over(tmp_path / "p1")
    assert home is not None
    again = Orphan(INFO, [home])
    assert again.is_closed
    assert again.read(2, 1000) == declared


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=6),
    st.integers(0, 5),
    st.integers(0, 10),
)
def test_mended_lines_are_numbered_without_gap(junk: list[bytes], good: int, first: int) -> None:
    """Good lines keep their bytes and numbers, whatever stands between them."""
    content = b"".join(line(first + n) for n in range(good))
    for text in junk:
        content += text + b"\n"
    content += line(first + good + len(junk))

    mended = mend(content, first)

    assert numbers(mended) == list(range(first, first + good + len(junk) + 1))
    assert mended.startswith(content[: sum(len(line(first + n)) for n in range(good))])
    assert mended.endswith(line(first + good + len(junk)))
    assert mend(mended, first) == mended


def test_an_unreadable_first_line_is_numbered_by_the_readable_ones_behind_it() -> None:
    mended = mend(b"junk\n" + line(101) + line(102), 0)

    assert numbers(mended) == [100, 101, 102]
    assert mended.endswith(line(101) + line(102))


def test_lost_shared_memory_is_named_as_a_reason(tmp_path: Path) -> None:
    home = Home.create(tmp_path, INFO)
    orphan = Orphan(replace(INFO, has_memory=True), [home])
    orphan.declare_lost(0)

    declared = orphan.read(0, 1000)
    assert declared is not None
    assert "shared memory is gone" in orjson.loads(declared.data)["reason"]
