"""From a row of the feed to what readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from synapse_stream.entries.position import Position
from synapse_stream.events.tags import restore
from synapse_stream.ports.views import Message, render

if TYPE_CHECKING:
    from consumers.views.message_feed.rows import MessageRow


def message(job_row: MessageRow, language: str | None = None) -> Message:
    """Return a row of the feed, its text in `language` if it came from a template that has it."""
    details = orjson.loads(job_row.details) if job_row.details else {}
    params = restore(details.get("params"))
    return Message(
        position=Position(job_row.ms, job_row.seq, job_row.line),
        time=job_row.time,
        kind=job_row.kind,
        level=job_row.level,
        step=job_row.step,
        rank=job_row.rank,
        attempt=job_row.attempt,
        content=render(job_row.content, details.get("template"), params, language),
        key=job_row.key,
        file=job_row.file,
        params=params if isinstance(params, dict) else {},
        data=restore(details.get("data")),
    )
