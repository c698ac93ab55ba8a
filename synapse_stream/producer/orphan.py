"""What a dead process left: its segments, made readable again."""

from __future__ import annotations

import os
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_stream.encoding import MAX_EVENT_BYTES, encode
from synapse_stream.producer.segment import Chunk, Cursor, Segment, used_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.producer.home import Home, ProducerInfo

_NUMBER = re.compile(rb'^\{"seq":(\d+),', re.MULTILINE)
_LAST_WORD = re.compile(
    rb'\{"seq":(\d+),"time":\d+,(?:"count":\d+,)?"type":"(?:end|producer_lost)"'
)


class Orphan:
    """The spool of a process that is gone; a source for the shipper.

    Its segments are opened when they are needed: that cuts torn tails and puts a `loss` event in
    the place of every line that cannot be read. A spool that was closed in order tells its last
    number without, since every process on the host looks at those that stay for the rewind window.
    """

    def __init__(self, info: ProducerInfo, homes: list[Home]) -> None:
        self.info = info
        self.job_id = info.job_id
        self.acknowledged = -1
        self._homes = homes
        self._cursor = Cursor()
        # A segment that was being moved may be in both homes; the later home has the finished copy.
        self._paths = {int(path.stem): path for home in homes for path in home.segment_paths()}

    @property
    def place(self) -> str:
        """Where the events wait, for people."""
        return str(self._homes[-1].path)

    @property
    def last(self) -> int:
        """Number of the last event that is left; -1 when there is none."""
        if self._last_word is not None:
            return self._last_word
        return self._segments[-1].last or 0 if self._segments else -1

    @property
    def is_closed(self) -> bool:
        """True when the producer said its last word, or somebody did for it."""
        if self._last_word is not None:
            return True
        if not self._segments:
            return False
        segment = self._segments[-1]
        return _find_last_word(segment.read(0, segment.used)) is not None

    @property
    def age_seconds(self) -> float:
        """Time since the last segment was written."""
        newest = max((path.stat().st_mtime for path in self._paths.values()), default=0.0)
        return time.time() - newest

    def declare_lost(self, number: int) -> None:
        """Write the `producer_lost` event, as the producer's event `number`.

        It is written before it is sent, so that whoever goes on after a second crash sends the
        same.

        Raises:
            OSError: no room.
        """
        info = self.info
        fields = {
            "host": info.host,
            "pid": info.pid,
            "rank": info.rank,
            "last": number - 1,
            "reason": self._reason,
        }
        (body,) = encode("producer_lost", None, fields)
        line = _line(number, body)
        index = self._segments[-1].index + 1 if self._segments else 0
        path = self._paths[index] = self._homes[-1].segment_path(index)
        _write(path, line)
        self._segments.append(_segment(index, path, number, line))

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return lines from `number` on, or later ones where those are missing."""
        if number > self.last:
            return None
        segment = next((s for s in self._segments if s.last is not None and s.last >= number), None)
        if segment is None:
            return None
        return self._cursor.read(segment, number, segment.used, max_bytes)

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""
        self.acknowledged = number

    def release(self) -> None:
        """Leave everything for whoever comes next."""
        for home in self._homes:
            home.release()

    def remove(self) -> None:
        """Delete what was left; the home of the last segment goes last.

        Else somebody who finds the rest after a SIGKILL would miss the producer's last word.
        """
        last = self._paths[max(self._paths)].parent if self._paths else None
        for home in sorted(self._homes, key=lambda home: home.path == last):
            home.remove()

    @property
    def _reason(self) -> str:
        reason = "the process ended without ending its run"
        if self.info.has_memory and len(self._homes) == 1:
            reason += "; what it held in shared memory is gone, unless the server had it"
        return reason

    @cached_property
    def _segments(self) -> list[Segment]:
        return _open_segments(self._paths)

    @cached_property
    def _last_word(self) -> int | None:
        return _find_last_word(_tail(self._paths[max(self._paths)])) if self._paths else None


def _tail(path: Path) -> bytes:
    """Return the end of a file, enough for its last line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * MAX_EVENT_BYTES))
        return file.read()


def _find_last_word(lines: bytes) -> int | None:
    """Return the number of the last line, if that is an event behind which none can follow."""
    if not lines.endswith(b"\n"):
        return None
    found = _LAST_WORD.match(lines, lines.rfind(b"\n", 0, -1) + 1)
    return int(found[1]) if found else None


def _open_segments(paths: dict[int, Path]) -> list[Segment]:
    segments = []
    following = 0
    for index, path in sorted(paths.items()):
        content = path.read_bytes()
        found = content[: used_bytes(content)]
        clean = mend(found, following)
        if len(clean) < len(content):
            os.truncate(path, len(clean))  # gives the pre-allocated rest of shared memory back
        if not clean:
            continue
        if clean != found:
            _write(path, clean)
        segment = _segment(index, path, _first_number(clean, following), clean)
        segments.append(segment)
        following = (segment.last or 0) + 1
    return segments


def mend(lines: bytes, following: int) -> bytes:
    """Return the lines of a segment with a `loss` event in the place of each unreadable one.

    `following` is the number expected first, for a segment whose first line is unreadable.
    """
    numbers = [int(n) for n in _NUMBER.findall(lines)]
    count = lines.count(b"\n")
    if len(numbers) == count and (
        not numbers or numbers == list(range(numbers[0], numbers[0] + count))
    ):
        return lines
    mended: list[bytes] = []
    number = max(following, _number_of_first(lines))
    for line in lines.split(b"\n")[:-1]:
        found = _NUMBER.match(line)
        if found and int(found[1]) == number:
            mended.append(line + b"\n")
        else:
            fields = {
                "counts": {"unknown": 1},
                "first": number,
                "last": number,
                "reason": "unreadable in the spool",
            }
            (body,) = encode("loss", None, fields)
            mended.append(_line(number, body))
        number += 1
    return b"".join(mended)


def _number_of_first(lines: bytes) -> int:
    """Return the number that the first line must have, by the first line that can be read."""
    for index, line in enumerate(lines.split(b"\n")):
        if found := _NUMBER.match(line):
            return int(found[1]) - index
    return -1


def _first_number(lines: bytes, otherwise: int) -> int:
    found = _NUMBER.match(lines)
    return int(found[1]) if found else otherwise


def _segment(index: int, path: Path, first: int, content: bytes) -> Segment:
    segment = Segment(index, path, len(content), None)
    segment.first = first
    segment.last = first + content.count(b"\n") - 1
    segment.used = len(content)
    return segment


def _line(number: int, body: bytes) -> bytes:
    return b'{"seq":%d,"time":%d,%b\n' % (number, time.time_ns() // 1000, body)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_bytes(content)
    draft.rename(path)
