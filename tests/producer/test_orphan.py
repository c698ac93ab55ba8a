"""What a dead process left is made whole: torn tails cut, unreadable lines replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.producer.adoption.left import LeftHome
from synapse_stream.producer.adoption.orphan import Orphan
from synapse_stream.producer.spool.mending import mend
from synapse_stream.producer.spool.reserve import RESERVE
from tests.support.homes import make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def line(number: int, kind: str = "message") -> bytes:
    return b'{"seq":%d,"time":1,"type":"%b","v":1}\n' % (number, kind.encode())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[LeftHome]:
    """Leave a spool without segments."""
    make(None, tmp_path).release()
    with LeftHome(tmp_path / "p1") as left:
        yield left


def left_behind(home: LeftHome, *segments: bytes) -> Orphan:
    for index, content in enumerate(segments):
        (home.path / f"{index:08d}.seg").write_bytes(content)
    return Orphan(home.describe(), [home])


def numbers(data: bytes) -> list[int]:
    return [orjson.loads(text)["seq"] for text in data.splitlines()]


def test_a_torn_tail_is_left_out_and_the_file_as_it_is(home: LeftHome) -> None:
    content = line(0) + line(1) + b'{"seq":2,"ti\0\0\0'
    orphan = left_behind(home, content)

    assert orphan.last == 1
    assert orphan.read(0, 1000) == (0, 1, line(0) + line(1))
    assert home.read("00000000.seg") == content


def test_segments_follow_each_other(home: LeftHome) -> None:
    orphan = left_behind(home, line(0) + line(1), line(2) + b"\0\0")

    assert orphan.read(1, 1000) == (1, 1, line(1))
    assert orphan.read(2, 1000) == (2, 2, line(2))
    assert orphan.read(3, 1000) is None


def test_reading_goes_on_in_pieces_and_from_any_number(home: LeftHome) -> None:
    lines = [line(number) for number in range(100)]
    orphan = left_behind(home, b"".join(lines[:60]), b"".join(lines[60:]))
    found, number = b"", 0
    while (chunk := orphan.read(number, 200)) is not None:
        assert chunk.first == number
        found += chunk.data
        number = chunk.last + 1

    assert found == b"".join(lines)
    assert orphan.read(42, 50) == (42, 42, lines[42])


def test_a_missing_segment_shows_as_a_later_first_number(home: LeftHome) -> None:
    orphan = left_behind(home, line(0), b"\0\0\0", line(5) + line(6))

    assert orphan.read(1, 1000) == (5, 6, line(5) + line(6))


def test_what_is_said_to_be_missing_stands_between_segments_unless_one_has_it(
    home: LeftHome,
) -> None:
    """It was in the memory of its process; then a segment came that is in a file again."""
    home.write(RESERVE, line(2, "loss") + b"\0\0")

    between = left_behind(home, line(0) + line(1), line(5))
    assert between.read(2, 1000) == (2, 2, line(2, "loss"))
    assert between.read(3, 1000) == (5, 5, line(5))
    assert (between.last, between.is_overtaken(2)) == (5, False)
    moved = left_behind(home, line(0) + line(1), line(2) + line(3))
    assert moved.read(2, 1000) == (2, 3, line(2) + line(3))
    behind = left_behind(home, line(0), line(1))
    assert (behind.last, behind.is_overtaken(1), behind.is_overtaken(2)) == (2, False, True)


def test_an_empty_spool_has_nothing(home: LeftHome) -> None:
    orphan = left_behind(home, b"\0\0\0")

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
def test_the_last_word_is_recognised(home: LeftHome, last_line: bytes, *, is_closed: bool) -> None:
    assert left_behind(home, line(0) + last_line).is_closed is is_closed


def test_a_spool_closed_in_order_tells_its_end_without_opening_the_rest(home: LeftHome) -> None:
    (home.path / "00000000.seg").mkdir()  # opening it would be an error
    (home.path / "00000001.seg").write_bytes(line(4) + line(5, "end"))
    orphan = Orphan(home.describe(), [home])

    assert orphan.last == 5
    assert orphan.is_closed
    assert orphan.read(6, 1000) is None
    with pytest.raises(IsADirectoryError):
        orphan.read(5, 1000)


def test_a_spool_is_closed_once_and_the_same_after_a_second_crash(home: LeftHome) -> None:
    orphan = left_behind(home, line(0) + line(1))
    orphan.close(2, ("loss", {"counts": {}}), ("producer_lost", {"last": 2, "reason": "r"}))
    declared = orphan.read(2, 1000)
    assert declared is not None
    assert [orjson.loads(text)["type"] for text in declared.data.splitlines()] == [
        "loss",
        "producer_lost",
    ]
    assert numbers(declared.data) == [2, 3]
    assert (orphan.last, orphan.is_closed) == (3, True)

    again = Orphan(home.describe(), [home])
    assert again.is_closed
    assert again.read(2, 1000) == declared


def test_room_that_was_not_filled_is_given_back_and_nothing_else_changes(
    home: LeftHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LeftHome, "is_in_memory", True)
    orphan = left_behind(home, line(0).ljust(100_000, b"\0"), line(1))
    with (home.path / "00000000.seg").open("rb") as owners:
        assert orphan.last == 1
        orphan.shrink()
        assert len(owners.read()) == 100_000  # whoever has it mapped is not hurt

    assert home.size("00000000.seg") == len(line(0))
    again = Orphan(home.describe(), [home])
    assert again.read(0, 1000) == (0, 0, line(0))
    assert again.read(1, 1000) == (1, 1, line(1))


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

    mended = mend(content, first, 1)

    assert numbers(mended) == list(range(first, first + good + len(junk) + 1))
    assert mended.startswith(content[: sum(len(line(first + n)) for n in range(good))])
    assert mended.endswith(line(first + good + len(junk)))
    assert mend(mended, first, 2) == mended
    assert mend(content, first, 1) == mended


def test_an_unreadable_first_line_is_numbered_by_the_readable_ones_behind_it() -> None:
    mended = mend(b"junk\n" + line(101) + line(102), 0, 1)

    assert numbers(mended) == [100, 101, 102]
    assert mended.endswith(line(101) + line(102))
