"""Make foreign text safe to print: a job's words must not drive the reader's terminal."""

from __future__ import annotations

import re

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and its kin: window title, clipboard, links
    r"|\x1b[ -/]*[0-~]"
)
# C0 and C1 controls but tab and newline, bidirectional overrides, and halves of surrogate pairs
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Drop terminal escape sequences and control characters; tab and newline stay."""
    return _UNPRINTABLE.sub("", _ESCAPE_SEQUENCE.sub("", text))


def one_line(text: str) -> str:
    """Make `text` printable on one line: a run of white space becomes one space."""
    return " ".join(printable(text).split())
