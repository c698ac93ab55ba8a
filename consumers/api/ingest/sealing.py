"""Reports that have no numbers of their own, numbered and sealed as batches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.entries.batch import Batch, seal
from synapse_stream.entries.limits import LARGEST_DATA_BYTES
from synapse_stream.events.encoding import encode, representable
from synapse_stream.redaction.body import redact_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consumers.api.ingest.synapse import Report
    from synapse_stream.redaction.body import Rules

_MOST_BYTES = LARGEST_DATA_BYTES // 2

_Line = tuple[bytes, bytes | None]
"""A line without number and time, and the key that is kept with it."""


class Sealed(NamedTuple):
    """A batch, the keys of what it holds, and whether it is the last one."""

    batch: Batch
    keys: list[bytes]
    is_last: bool


def sealed(
    job_id: str, producer: str, head: tuple[int, bytes], reports: Iterable[Report], rules: Rules
) -> Iterator[Sealed]:
    """Yield batches of what a producer reports behind its `head`, with secrets masked."""
    number, link = head
    lines: list[_Line] = []
    size, first = 0, number + 1
    for report in reports:
        for line, key in _lines(report, number + 1, rules):
            if lines and size + len(line) > _MOST_BYTES:
                batch = seal(link, job_id, producer, first, number, _joined(lines))
                yield Sealed(batch, _keys(lines), is_last=False)
                lines, size, first, link = [], 0, number + 1, batch.hash
            lines.append((line, key))
            size, number = size + len(line), number + 1
    batch = seal(link, job_id, producer, first, number, _joined(lines))
    yield Sealed(batch, _keys(lines), is_last=True)


def _lines(report: Report, number: int, rules: Rules) -> Iterator[_Line]:
    """Yield the lines of a report, the first of which has that number."""
    time_us = time.time_ns() // 1_000 if report.time_us is None else report.time_us
    fields = {**report.fields, "count": number + 1} if report.kind == "end" else report.fields
    if report.kind == "end" and report.fields["status"] is not None:
        fields["rank"] = 0
    for index, body in enumerate(encode(report.kind, report.step, fields)):
        shown = body if report.kind == "metrics" else redact_body(body, rules)
        head = b'{"seq":%d,"time":%d,' % (number + index, representable(time_us))
        yield head + shown + b"\n", None if index else report.key


def _joined(lines: Sequence[_Line]) -> bytes:
    return b"".join([line for line, _ in lines])


def _keys(lines: Sequence[_Line]) -> list[bytes]:
    return [key for _, key in lines if key]
