from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.saying.text import one_line, printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain — ünïcode 한국어 🚀", "plain — ünïcode 한국어 🚀"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hcleared", "cleared"),
        ("\x1b]0;new title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;never closed", "52;c;never closed"),
        ("bell\x07 back\x08 return\r nul\x00", "bell back return nul"),
        ("\x9b31mC1", "31mC1"),
        ("ab\u202egnp.exe\u202c", "abgnp.exe"),
        ("half \ud800 pair", "half  pair"),
    ],
)
def test_text_of_a_job_cannot_drive_the_terminal(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.text(st.characters(categories=["C", "L", "P"])))
def test_what_is_printable_has_no_control_character_and_can_be_encoded(text: str) -> None:
    shown = printable(text)

    assert not {
        character for character in shown if character < " " or "\x7f" <= character < "\xa0"
    } - {"\t", "\n"}
    assert shown.encode().decode() == shown


def test_a_long_hostile_text_takes_time_in_proportion_to_its_length() -> None:
    assert printable("\x1b]" * 100_000) == ""
    assert printable("\x1b[" + "0" * 200_000) == "0" * 200_000


def test_one_line_of_many_is_joined_by_spaces() -> None:
    assert one_line("  a\r\n\tb\n\n c ") == "a b c"
