"""What a dead process left: its segments, made readable again."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.batch import last_word
from synapse_stream.events.encoding import MAX_EVENT_BYTES, encode, representable
from synapse_stream.producer.shipping.heir import renumber
from synapse_stream.producer.spool.homes import ALONE
from synapse_stream.producer.spool.mending import line, mend, numbered_from
from synapse_stream.producer.spool.reserve import RESERVE
from synapse_stream.producer.spool.segment import Chunk, used_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.producer.adoption.left import LeftHome
    from synapse_stream.producer.spool.info import ProducerInfo


_WORTH_GIVING_BACK = 32 * 1024


class _Part(NamedTuple):
    """A segment that was looked through: events `first` to `last`."""

    name: str
    first: int
    last: int


class Orphan:
    """The spool of a process that is gone; a source for the shipper.

    Nothing in it is changed but by files that come and go as a whole. Its segments are read when
    they are needed, torn tails left out and a `loss` event in the place of every line that cannot
    be read. A spool that was closed in order tells its last number without.
    """

    def __init__(self, info: ProducerInfo, homes: Sequence[LeftHome]) -> None:
        """Look into the homes, hot before cold."""
        self.info = info
        self.job_id = info.job_id
        self.acknowledged = -1
        self._homes = homes
        # A segment that was being moved may be in both homes; the later home has the finished copy.
        self._where: dict[str, LeftHome] = {
            name: home for home in homes for name in home.segments()
        }
        self._names = sorted(self._where)
        self._reserve = next((home for home in homes if _is_used(home)), None)
        self._open: tuple[str, bytes] = ("", b"")
        self._reached = ("", 0, 0)  # a segment, a number in it, and where that begins

    @property
    def place(self) -> str:
        """Where the events wait, for people."""
        return str(self._homes[-1].path)

    @cached_property
    def last(self) -> int:
        """Number of the last event that is left; -1 when there is none."""
        if self._last_word is not None:
            return self._last_word
        return self._parts[-1].last if self._parts else -1

    @property
    def is_closed(self) -> bool:
        """True when the producer said its last word, or somebody did for it."""
        if self._last_word is not None:
            return True
        if not self._parts:
            return False
        name, first, _ = self._parts[-1]
        return last_word(self._content(name, first)) is not None

    def has_all_from(self, number: int) -> bool:
        """Tell whether all events from one on are here, to the last that the producer had."""
        if not self.is_closed:
            return False
        for part in self._parts if number <= self.last else ():
            if part.first > number:
                return False
            number = max(number, part.last + 1)
        return number > self.last

    def is_overtaken(self, known: int) -> bool:
        """Tell whether the server has events that are said to be missing at the end.

        A process sends what is in its memory, and may be killed before it hears the answer.
        """
        last = self._parts[-1] if self._parts else None
        return last is not None and last.name == RESERVE and last.first <= known

    def catch_up(self, known: int) -> None:
        """Say that what is missing at the end is behind event `known`, which the server has.

        Raises:
            OSError: no room.
        """
        if not self.is_overtaken(known):
            return
        name, first, last = self._parts[-1]
        shift = known + 1 - first
        content = renumber(self._content(name, first), -shift)
        self._where[name].write(name, content)
        self._open, self._reached = (name, content), ("", 0, 0)
        self._parts[-1] = _Part(name, first + shift, last + shift)
        self.last, self._last_word = last + shift, last_word(content)

    def has_as_it_was(self, number: int) -> bool:
        """Tell whether an event is here as its process reported it.

        A `loss` may have been put in the place of another one.
        """
        chunk = self.read(number, 2 * MAX_EVENT_BYTES)
        if chunk is None or chunk.first != number:
            return False
        event: dict[str, Any] = orjson.loads(chunk.data[: chunk.data.index(b"\n")])
        return event.get("type") != "loss"

    @property
    def age_seconds(self) -> float:
        """Time since the last sign of its process: a segment, or what it left for other hosts."""
        times = [self._where[name].modified(name) for name in self._names]
        times += [home.signed for home in self._homes]
        return max(0.0, time.time() - max(times))

    def close(self, number: int, *events: tuple[str, Mapping[str, Any]]) -> None:
        """Write the last events in the name of the producer, numbered from `number`.

        They are written before they are sent, so that whoever goes on after a second crash sends
        the same.

        Raises:
            OSError: no room.
        """
        now = representable(time.time_ns() // 1000)
        lines: list[bytes] = []
        for kind, fields in events:
            (body,) = encode(kind, None, dict(fields))
            lines.append(line(number + len(lines), now, body))
        index = int(self._names[-1].partition(".")[0]) + 1 if self._names else 0
        name, home = f"{index:08d}.seg", self._homes[-1]
        home.write(name, b"".join(lines))
        self._where[name] = home
        self._names.append(name)
        self._parts.append(_Part(name, number, number + len(lines) - 1))
        self.last = self._last_word = number + len(lines) - 1

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return lines from `number` on, or later ones where those are missing."""
        if number > self.last:
            return None
        part = next((part for part in self._parts if part.last >= number), None)
        if part is None:
            return None
        first = max(number, part.first)
        content = self._content(part.name, part.first)
        start = self._offset(part, first, content)
        data = content[start : start + max_bytes]
        data = data[: data.rfind(b"\n") + 1]
        last = first + data.count(b"\n") - 1
        self._reached = (part.name, last + 1, start + len(data))
        return Chunk(first, last, data)

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""
        self.acknowledged = number

    def shrink(self) -> None:
        """Give back the room of shared memory that its process had not filled.

        Only of a process that is dead for certain: a copy takes the place of what it would go on
        writing to.
        """
        for name, first, _ in self._parts:
            home = self._where[name]
            content = self._content(name, first)
            if home.size(name) - len(content) >= _WORTH_GIVING_BACK and home.is_in_memory:
                home.write(name, content)

    def remove(self) -> None:
        """Delete what was left; the home of the last segment goes last.

        Else somebody who finds the rest after a SIGKILL would miss the producer's last word.
        """
        last = self._where[self._names[-1]] if self._names else self._homes[-1]
        others = [home for home in self._homes if home is not last]
        if others:
            last.write(ALONE, b"")
        for home in (*others, last):
            home.remove()

    @cached_property
    def _parts(self) -> list[_Part]:
        parts: list[_Part] = []
        following = 0
        for name in self._names:
            content = self._content(name, following)
            if content:
                first = numbered_from(content, following)
                parts.append(_Part(name, first, first + content.count(b"\n") - 1))
                following = parts[-1].last + 1
        if self._reserve is not None:
            self._fill_in(parts, self._reserve, following)
        return parts

    def _fill_in(self, parts: list[_Part], home: LeftHome, following: int) -> None:
        """Put what is said to be missing between the segments, unless a segment has it."""
        self._where[RESERVE] = home
        content = self._content(RESERVE, following)
        first = numbered_from(content, following)
        place = sum(part.first <= first for part in parts)
        if place == 0 or parts[place - 1].last < first:
            parts.insert(place, _Part(RESERVE, first, first + content.count(b"\n") - 1))

    def _content(self, name: str, following: int) -> bytes:
        """Return the lines of a segment, mended."""
        if self._open[0] != name:
            home = self._where[name]
            content = home.read(name)
            time = int(home.modified(name) * 1_000_000)
            self._open = (name, mend(content[: used_bytes(content)], following, time))
        return self._open[1]

    def _offset(self, part: _Part, number: int, content: bytes) -> int:
        name, reached, offset = self._reached
        if (name, reached) == (part.name, number):
            return offset
        offset = 0
        for _ in range(number - part.first):
            offset = content.index(b"\n", offset) + 1
        return offset

    @cached_property
    def _last_word(self) -> int | None:
        if self._reserve is not None:
            name, first, _ = self._parts[-1]
            return last_word(self._content(name, first))
        if not self._names:
            return None
        name = self._names[-1]
        home = self._where[name]
        start = max(0, home.size(name) - 2 * MAX_EVENT_BYTES)
        return last_word(home.read(name, start))


def _is_used(home: LeftHome) -> bool:
    """Tell whether the reserve in a home says that events are missing."""
    try:
        return used_bytes(home.read(RESERVE)) > 0
    except OSError:
        return False
