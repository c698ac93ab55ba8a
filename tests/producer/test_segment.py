"""Segments keep whole lines through kills, moves and full disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.producer.spool.segment import Cursor, Segment, used_bytes

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1024 * 1024


def filled(path: Path | None, *lines: bytes) -> Segment:
    content = b"".join(lines)
    segment = Segment.create(0, path, SIZE)
    segment.mapping[: len(content)] = content
    segment.used, segment.last = len(content), len(lines) - 1
    return segment


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", b""),
        (b"\0\0\0", b""),
        (b"one\ntwo\n\0\0\0", b"one\ntwo\n"),
        (b"one\ntwo\n", b"one\ntwo\n"),
        (b"one\ntw\0\0\0", b"one\n"),
        (b"one\ntw\0o\n\0\0", b"one\n"),  # the copy was torn in its middle
        (b"one\n\0\0\0\n\0", b"one\n"),  # only the newline had been written
        (b"tw\0", b""),
    ],
)
def test_a_torn_last_line_costs_only_itself(content: bytes, whole: bytes) -> None:
    assert content[: used_bytes(content)] == whole


def test_a_segment_has_all_its_blocks_when_it_is_made(tmp_path: Path) -> None:
    segment = Segment.create(0, tmp_path / "0.seg", SIZE)

    assert segment.path is not None
    assert segment.path.stat().st_blocks * 512 >= SIZE


def test_a_segment_is_not_made_over_another(tmp_path: Path) -> None:
    Segment.create(0, tmp_path / "0.seg", SIZE)

    with pytest.raises(FileExistsError):
        Segment.create(0, tmp_path / "0.seg", SIZE)


def test_relocation_moves_the_lines_and_drops_the_zeros(tmp_path: Path) -> None:
    segment = filled(tmp_path / "hot.seg", b"one\n", b"two\n")

    segment.relocate(tmp_path / "cold.seg")

    assert (tmp_path / "cold.seg").read_bytes() == b"one\ntwo\n"
    assert not (tmp_path / "hot.seg").exists()
    assert segment.read(4, 8) == b"two\n"
    assert not segment.is_mapped


def test_relocation_on_the_same_disk_only_truncates(tmp_path: Path) -> None:
    segment = filled(tmp_path / "0.seg", b"one\n", b"two\n")

    segment.relocate(tmp_path / "0.seg")

    assert (tmp_path / "0.seg").read_bytes() == b"one\ntwo\n"
    assert segment.read(0, 8) == b"one\ntwo\n"


def test_a_failed_relocation_changes_nothing(tmp_path: Path) -> None:
    segment = filled(tmp_path / "hot.seg", b"one\n")

    with pytest.raises(FileNotFoundError):
        segment.relocate(tmp_path / "absent" / "cold.seg")

    assert segment.is_mapped
    assert segment.read(0, 4) == b"one\n"


def test_a_segment_in_private_memory_can_move_to_disk(tmp_path: Path) -> None:
    segment = filled(None, b"one\n")

    segment.relocate(tmp_path / "0.seg")

    assert (tmp_path / "0.seg").read_bytes() == b"one\n"


def test_a_cursor_reads_whole_lines_within_the_limit(tmp_path: Path) -> None:
    segment = filled(tmp_path / "0.seg", b"aa\n", b"bb\n", b"cc\n")
    cursor = Cursor()

    assert cursor.read(segment, 0, segment.used, 7) == (0, 1, b"aa\nbb\n")
    assert cursor.read(segment, 2, segment.used, 7) == (2, 2, b"cc\n")


def test_a_cursor_finds_any_number_again(tmp_path: Path) -> None:
    segment = filled(tmp_path / "0.seg", b"aa\n", b"b\n", b"cccc\n")
    cursor = Cursor()
    cursor.read(segment, 0, segment.used, 100)

    assert cursor.read(segment, 1, segment.used, 100) == (1, 2, b"b\ncccc\n")
    assert cursor.read(segment, 2, segment.used, 100) == (2, 2, b"cccc\n")
