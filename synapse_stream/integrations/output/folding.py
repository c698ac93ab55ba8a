"""From what is printed to lines, with bars that are drawn over and over folded into one. Pure."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import NamedTuple

from synapse_stream.saying.text import printable

LONGEST_LINE = 16_384
_MOST_ROWS = 100
_WORDS = re.compile(r"(\r*\n|\r|\x08+|\x1b\[\d*[ABKF])")
_MOVE = re.compile(r"\x1b\[(\d*)([ABKF])")
_HAS_MOVES = re.compile(r"[\r\x08\x1b]")
_UP, _DOWN, _ERASE, _UP_TO_START = "A", "B", "K", "F"


class Line(NamedTuple):
    """A line as it was left."""

    text: str
    redrawn: int
    """How often it was drawn over."""


class _Row:
    """A line that the cursor may come back to."""

    __slots__ = ("is_bar", "is_over", "redrawn", "text")

    def __init__(self) -> None:
        self.text = ""
        self.redrawn = 0
        self.is_bar = False  # the cursor has come back to it
        self.is_over = False  # what comes next is written over it

    def write(self, text: str) -> None:
        if self.is_over:
            self.redrawn += bool(self.text)
            self.text, self.is_over = "", False
        self.text += text


class Folder:
    """Folds one stream of output."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._rows = [_Row()]
        self._at = 0
        self._done: list[Line] = []

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that are final with it."""
        text = self._decoder.decode(data)
        if len(self._rows) == 1 and not self._rows[0].is_bar and not _HAS_MOVES.search(text):
            self._feed_plain(text)
        else:
            for word in _WORDS.split(text):
                self._take_word(word)
        return self._take()

    def settle(self) -> list[Line]:
        """Return what is above the cursor, when nothing has come back to it for a while."""
        self._leave_rows(self._at)
        return self._take()

    def finish(self) -> list[Line]:
        """Return what is left when nothing will follow."""
        self._rows[self._at].write(self._decoder.decode(b"", final=True))
        self._leave_rows(len(self._rows))
        self._rows, self._at = [_Row()], 0
        return self._take()

    def _feed_plain(self, text: str) -> None:
        first, *rest = text.split("\n")
        self._rows[0].write(first)
        for line in rest:
            self._leave_rows(1)
            self._rows = [_Row()]
            self._rows[0].write(line)
        self._cut(self._rows[0])

    def _take_word(self, word: str) -> None:
        row = self._rows[self._at]
        if word.endswith("\n"):
            self._end_row()
        elif word == "\r":
            row.is_over = row.is_bar = True
        elif word.startswith("\x08"):
            row.text = row.text[: -len(word)]
        elif move := _MOVE.fullmatch(word):
            self._move(*move.groups())
        elif word:
            row.write(word)
            self._cut(row)

    def _end_row(self) -> None:
        row = self._rows[self._at]
        row.is_over = False
        is_last = self._at == len(self._rows) - 1
        self._at += 1
        if is_last:
            self._rows.append(_Row())
            is_text = not row.is_bar and row.text.strip() != ""
            if is_text or not any(one.is_bar for one in self._rows[: self._at]):
                self._leave_rows(self._at)  # nothing goes back past ordinary text
        if len(self._rows) > _MOST_ROWS:
            self._leave_rows(1)

    def _move(self, count: str, way: str) -> None:
        steps = int(count or 1)
        if way == _ERASE:
            self._rows[self._at].is_over = True
        elif way == _DOWN:
            self._at = min(len(self._rows) - 1, self._at + steps)
        else:
            self._at = max(0, self._at - steps)
            self._rows[self._at].is_over |= way == _UP_TO_START

    def _cut(self, row: _Row) -> None:
        while len(row.text) > LONGEST_LINE:
            self._add(row.text[:LONGEST_LINE], row.redrawn)
            row.text = row.text[LONGEST_LINE:]

    def _leave_rows(self, count: int) -> None:
        """Take the first rows as they are."""
        for row in self._rows[:count]:
            self._add(row.text, row.redrawn)
        self._rows = self._rows[count:]
        self._at = max(0, self._at - count)

    def _add(self, text: str, redrawn: int) -> None:
        shown = printable(text).rstrip()
        if shown:  # an empty line says nothing
            self._done.append(Line(shown, redrawn))

    def _take(self) -> list[Line]:
        done, self._done = self._done, []
        return done
