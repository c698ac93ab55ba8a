"""From what is printed to lines: bars that are drawn over and over are one."""

from __future__ import annotations

import pytest

from synapse_stream.integrations.output.folding import LONGEST_LINE, Folder, Line

Lines = list[Line]


def folded(*pieces: bytes) -> list[tuple[str, int]]:
    folder = Folder()
    found = [tuple(line) for piece in pieces for line in folder.feed(piece)]
    return found + [tuple(line) for line in folder.finish()]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\n", b"thr", b"ee\n"], [("one", 0), ("two", 0), ("three", 0)]),
        ([b"windows\r\n", b"lines\r", b"\nend"], [("windows", 0), ("lines", 0), ("end", 0)]),
        ([b"\n  \n\x1b[0m\nx\n"], [("x", 0)]),
        ([b"\x1b[31mred\x1b[0m\n"], [("red", 0)]),
        ([b"\xc3", b"\xa4 \xff\n"], [("ä \\xff", 0)]),
        ([b"\r 0%|  |", b"\r50%|# |", b"\r99%|##|", b"\n"], [("99%|##|".strip(), 2)]),
        ([b"\r1/3", b"\r2/3"], [("2/3", 1)]),
        ([b"\r1/3", b"\r   \r", b"done\n"], [("done", 2)]),  # a bar that leaves nothing
        ([b"1/2 [=>.]", b"\b" * 9, b"2/2 [===]\n"], [("2/2 [===]", 0)]),  # as Keras once did
        ([b"work\x1b[2K\r", b"other\n"], [("other", 1)]),
        ([b"plain\n\rbar 1", b"\rbar 2\nplain\n"], [("plain", 0), ("bar 2", 1), ("plain", 0)]),
    ],
)
def test_what_is_printed_becomes_lines(pieces: list[bytes], lines: Lines) -> None:
    assert folded(*pieces) == [(text.strip(), redrawn) for text, redrawn in lines]


def test_bars_below_each_other_are_a_line_each() -> None:
    """As tqdm moves the cursor: down, a bar, and up again."""
    folder = Folder()
    found = []
    for done in range(1, 6):
        for position, name in enumerate(("train", "batch", "inner")):
            down, up = b"\n" * position, b"\x1b[A" * position
            bar = f"\r{name} {done}/5".encode()
            found += folder.feed(down) + folder.feed(bar) + folder.feed(up)
    assert found == []

    assert [tuple(line) for line in folder.finish()] == [
        *(("train 5/5", 4), ("batch 5/5", 4), ("inner 5/5", 4))
    ]


def test_a_bar_that_was_left_is_there_after_a_while() -> None:
    folder = Folder()
    assert folder.feed(b"\r1/2\r2/2\n") == []

    assert folder.settle() == [("2/2", 1)]
    assert folder.settle() == []


def test_a_line_without_an_end_comes_in_parts() -> None:
    folder = Folder()
    found = folder.feed(b"x" * (2 * LONGEST_LINE)) + folder.feed(b"y") + folder.finish()

    assert "".join(line.text for line in found) == "x" * (2 * LONGEST_LINE) + "y"
    assert max(len(line.text) for line in found) == LONGEST_LINE


def test_rows_above_do_not_pile_up() -> None:
    folder = Folder()
    found = [line for number in range(500) for line in folder.feed(b"\r0\r%d\n" % number)]

    assert len(found) > 300
    assert [line.text for line in found + folder.finish()] == [str(number) for number in range(500)]
