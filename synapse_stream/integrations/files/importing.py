"""Append a run that was found in files to its job's stream: once, however often it is imported."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import JobExists
from synapse_stream.events.encoding import encode, representable
from synapse_stream.integrations.files.source import Found, Trouble
from synapse_stream.models import RunStatus
from synapse_stream.reading.replay import Twin
from synapse_stream.redaction.body import compiled, redact_body
from synapse_stream.redaction.data import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.integrations.files.source import Source
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.redaction.body import Rules

_MOST_LINES = 1_000
_MOST_BYTES = 512 * 1024
_NOT_KNOWN = "unknown"


@dataclass
class Imported:
    """What an import has come to."""

    events: int = 0
    is_new: bool = True
    """False when all of it was there."""
    damages: list[str] = field(default_factory=list)
    """What could not be read."""
    left_out: list[str] = field(default_factory=list)
    """What is no part of a job."""


def import_source(source: Source, job_id: str, log: EventLog, rules: str | None) -> Imported:
    """Append a run to the job `job_id`.

    Its producer is named after the files and the job, and says the same each time; so what broke
    off is completed by the same command.

    Args:
        source: the run.
        job_id: the job.
        log: where to.
        rules: what to mask besides, as the setting `redact_rules` says.

    Raises:
        JobExists: there is a job of that name that holds something else.
        LogUnavailable: the server did not answer; import it again.
    """
    name = sha256(orjson.dumps([source.format, source.sha256, source.proposed, job_id])).hexdigest()
    twin = Twin(log, job_id, f"import-{name[:24]}")
    if not twin.is_known and log.knows(job_id):
        msg = f"there is a job {job_id!r} already that is no import of {source.name}; name another"
        raise JobExists(msg)
    imported = Imported(is_new=False)
    lines = _Lines(twin, compiled(rules), imported)
    time_us: int | None = None
    for found in _read(source):
        if isinstance(found, Trouble):
            (imported.damages if found.is_damage else imported.left_out).append(found.text)
            continue
        if time_us is None:
            lines.add(_start(source, found.time_us))
        time_us = max(found.time_us, time_us or 0)
        lines.add(found)
    if time_us is None:
        time_us = 0
        lines.add(_start(source, time_us))
    for text in imported.damages:
        fields = {"content": f"not imported from {source.name}: {text}", "level": "warning"}
        lines.add(Found(time_us, "message", fields))
    end = {"status": source.status or RunStatus.COMPLETED, "count": lines.count + 1, "rank": 0}
    lines.add(Found(time_us, "end", end))
    lines.flush()
    imported.events = lines.count
    return imported


class _Lines:
    """Numbers lines and appends them, cut into the same batches each time."""

    def __init__(self, twin: Twin, rules: Rules, imported: Imported) -> None:
        self.count = 0
        self._twin = twin
        self._rules = rules
        self._imported = imported
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, found: Found) -> None:
        """Append an event, or have it wait for others."""
        for body in encode(found.kind, found.step, found.fields):
            shown = body if found.kind == "metrics" else redact_body(body, self._rules)
            head = b'{"seq":%d,"time":%d,' % (self.count, representable(found.time_us))
            self._waiting.append(head + shown + b"\n")
            self._size += len(head) + len(shown)
            self.count += 1
        if len(self._waiting) >= _MOST_LINES or self._size >= _MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append what waits."""
        if self._waiting:
            is_new = self._twin.append(self.count - 1, b"".join(self._waiting))
            self._imported.is_new |= is_new
            self._waiting, self._size = [], 0


def _start(source: Source, time_us: int) -> Found:
    imported = {
        "imported_from": f"{source.format}: {Path(source.name).name}",
        "imported_sha256": source.sha256,
        **({} if source.status else {"end": _NOT_KNOWN}),
    }
    labels: dict[str, Any] = {
        name: text for name, text in source.labels.items() if text is not None
    }
    fields = {
        "action": source.format,
        "host": "import",
        "pid": 0,
        "rank": 0,
        "params": redact(source.params) if source.params else source.params,
        "labels": redact({**labels, **imported}),
    }
    return Found(time_us, "run_started", fields)


def _read(source: Source) -> Iterator[Found | Trouble]:
    """Yield what a source has; what a damaged file does not give is a trouble, too."""
    try:
        yield from source.read()
    except (OSError, sqlite3.Error) as error:
        yield Trouble(f"what follows: {error}")
