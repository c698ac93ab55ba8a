"""A producer as a process has it, without its threads, and what a SIGKILL leaves of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synapse_stream.entries.batch import GENESIS

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from synapse_stream.producer.shipping.shipper import Shipper
    from synapse_stream.producer.spool.shelf import Shelf
    from synapse_stream.producer.spool.spool import Spool

TORN: dict[str, bytes] = {
    "nothing": b"",
    "half a line": b'{"seq":%d,"time":1,"type":"mess',
    "a hole before the newline": b'{"seq":%d,"ti\0\0\0\0\0"message"}\n',
    "no newline": b'{"seq":%d,"time":1,"type":"message","v":1,"content":"torn"}',
}


@dataclass
class Plugin:
    """One producer as a process has it, without its threads."""

    id: str
    shelf: Shelf
    spool: Spool
    shipper: Shipper
    reported: dict[int, bytes] = field(default_factory=dict)
    """Number → body, of what a report call accepted."""
    offered: int = 0
    """Report calls, accepted or not."""

    def report(self, body: bytes) -> None:
        """Report a message."""
        number = self.spool.next
        self.offered += 1
        self.spool.append("message", body)
        if self.spool.next > number:
            self.reported[number] = body


def linked_lines(batches: list[Batch]) -> list[bytes]:
    """Return all lines of one producer after checking numbers and chain of its batches."""
    link, following = GENESIS, 0
    lines: list[bytes] = []
    for batch in batches:
        assert batch.first == following
        assert batch.is_linked_to(link)
        lines += batch.lines()
        link, following = batch.hash, batch.last + 1
    return lines


def body_of(line: bytes) -> bytes:
    """Return the line without its number and time."""
    return line.split(b",", 2)[2]


def tear(plugin: Plugin, torn: bytes) -> None:
    """Leave what a report call that was killed in the middle of its copy leaves."""
    spool = plugin.spool
    line = torn % spool.next if torn else b""
    end = spool._tail + len(line)
    if end <= spool._room and spool._map is not None:
        spool._map[spool._tail : end] = line
