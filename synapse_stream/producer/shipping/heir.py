"""Going on under another name, when a producer's own was taken.

What the spool holds from event `start` on is sent by the heir: first `resumed`, its event 0, then
the same lines with numbers from 1. Whoever adopts the spool later makes the very same lines of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.events.encoding import encode
from synapse_stream.producer.spool.mending import NUMBER
from synapse_stream.producer.spool.segment import Chunk

if TYPE_CHECKING:
    from synapse_stream.producer.spool.notes import Name
    from synapse_stream.producer.spool.segment import Source

# Lines that name numbers; what a plugin reports cannot begin so, as the type stands in front of it.
_NAMES_NUMBERS = re.compile(
    rb'^\{"seq":\d+,"time":\d+,(?:"count":\d+,)?"type":"(?:end|loss|producer_lost)".*\n',
    re.MULTILINE,
)
_REASON = "another sender used this producer's name"


class Origin(NamedTuple):
    """The process that reports, for people."""

    host: str
    pid: int
    rank: int | None


class Renumbered:
    """The events of a spool from `heir.start` on, as the heir sends them; a source itself."""

    def __init__(self, source: Source, heir: Name, former: str, last: int, origin: Origin) -> None:
        """Make the source of an heir that follows event `last` of the producer `former`."""
        self.job_id = source.job_id
        self._source = source
        self._shift = heir.start - 1
        fields = {"producer": former, "last": last, "reason": _REASON, **origin._asdict()}
        (body,) = encode("resumed", None, fields)
        self._first = b'{"seq":0,"time":%d,%b\n' % (heir.time, body)

    @property
    def place(self) -> str:
        """Where the events wait, for people."""
        return self._source.place

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return lines from `number` on, or later ones where those are no longer kept."""
        if number == 0:
            return Chunk(0, 0, self._first)
        chunk = self._source.read(number + self._shift, max_bytes)
        if chunk is None:
            return None
        first, last, data = chunk
        return Chunk(first - self._shift, last - self._shift, renumber(data, self._shift))

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""
        self._source.acknowledge(max(0, number) + self._shift)


def renumber(lines: bytes, shift: int) -> bytes:
    """Return event lines whose numbers, and those that they name, are smaller by `shift`."""
    lines = _NAMES_NUMBERS.sub(lambda found: _renamed(found[0], shift), lines)
    return NUMBER.sub(lambda found: b'{"seq":%d,' % (int(found[1]) - shift), lines)


def _renamed(line: bytes, shift: int) -> bytes:
    event: dict[str, Any] = orjson.loads(line)
    for name in ("count", "first", "last"):
        if type(event.get(name)) is int and (event["type"] != "end" or name == "count"):
            event[name] = max(0, event[name] - shift)
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
