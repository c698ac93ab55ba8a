"""What is known of a job that reports by snapshots and entries, and what follows from a request.

Pure. A *book* is kept beside the job's stream and changes in the same step as that, so it is the
same for every API process, and a request that came twice finds that it was there already.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import orjson

from consumers.api.ingest.synapse import STATUSES, Report, Snapshot, changes, ending, remarks
from synapse_stream.entries.batch import GENESIS
from synapse_stream.events.tags import restore, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOBODY = 0  # no process is named on this wire


@dataclass(frozen=True, slots=True)
class Book:
    """Where the latest attempt of a job stands."""

    attempt: int = 0
    last: int = -1
    """Last number of its producer."""
    hash: bytes = GENESIS
    ended: str | None = None
    ended_us: int = 0
    is_again: bool = False
    """True when it was told to be running behind its end."""
    by: str = "synapse-sdk"
    """Who reports: the first part of its producers' names."""
    late: int = 0
    """How many producers there were for what came behind its end."""
    snapshot: Snapshot = field(default_factory=lambda: Snapshot({}, {}))

    @classmethod
    def read(cls, text: bytes | None) -> Self:
        """Return what `written` returned; None is the book of a new job."""
        if text is None:
            return cls()
        found = restore(orjson.loads(text))
        snapshot = Snapshot(found.pop("steps"), found.pop("metrics"))
        return cls(**{**found, "hash": bytes.fromhex(found["hash"]), "snapshot": snapshot})

    def written(self) -> bytes:
        """Return it as bytes."""
        return orjson.dumps(
            {
                **{name: getattr(self, name) for name in ("attempt", "last", "ended", "ended_us")},
                "hash": self.hash.hex(),
                "is_again": self.is_again,
                "by": self.by,
                "late": self.late,
                "steps": self.snapshot.steps,
                "metrics": tag(self.snapshot.metrics),
            }
        )

    @property
    def producer(self) -> str:
        """Name of the attempt's producer."""
        return f"{self.by}.{self.attempt}"

    @property
    def is_open(self) -> bool:
        """True while the attempt goes on."""
        return self.attempt > 0 and self.ended is None

    def begun(
        self, host: str, by: str = "synapse-sdk", said: str = "the Synapse SDK, over HTTP"
    ) -> tuple[Book, list[Report]]:
        """Return the book with an open attempt, and the report that begins it, if it is new."""
        if self.is_open:
            return self, []
        labels = {"reported_by": said}
        fields = {"host": host, "pid": _NOBODY, "rank": 0, "labels": labels}
        return Book(self.attempt + 1, by=by), [Report("run_started", None, fields)]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request changes."""

    book: Book
    reports: Sequence[Report] = ()
    is_late: bool = False
    """True: they came behind the end of the attempt, which stays as it is."""


def take_entries(book: Book, reports: Sequence[Report], host: str) -> Turn:
    """Return what fresh log entries change; what is of before the end belongs to that attempt."""
    if book.ended is not None:
        is_of_before = all((one.time_us or 0) <= book.ended_us for one in reports)
        if is_of_before or not book.is_again:
            return Turn(replace(book, late=book.late + 1), reports, is_late=True)
    opened, first = book.begun(host)
    return Turn(opened, [*first, *reports])


def take_change(book: Book, content: dict[str, Any], key: bytes, host: str, now_us: int) -> Turn:
    """Return what a request to change the job changes; nothing if all of it is known.

    The first end that is told counts. Another one behind it, as a submitter's, is a remark.

    Args:
        book: of the job.
        content: of the request.
        key: by which it is known again.
        host: where it comes from.
        now_us: when it came.
    """
    status = content.get("status")
    end = STATUSES.get(status) if isinstance(status, str) else None
    if book.ended is not None and not book.is_again and end is None and status == "RUNNING":
        return Turn(replace(book, is_again=True))
    found, snapshot = changes(content, book.snapshot)
    is_drivers = end is None or "progress_record" in content  # its last word has one
    if book.ended is not None and not (book.is_again and is_drivers):
        said = [*found, *_keyed(remarks(content), key)]
        if end not in {None, book.ended}:
            data = {"status": status, "result": content.get("result")}
            fields = {"event": "status behind the end", "data": data, "level": "warning"}
            said.append(Report("log", None, fields, key=key + b"status"))
        if not said:
            return Turn(book)
        return Turn(replace(book, late=book.late + 1, snapshot=snapshot), said, is_late=True)
    said = _keyed(remarks(content), key)
    if not (found or said or end or status == "RUNNING"):
        return Turn(replace(book, snapshot=snapshot))
    opened, first = book.begun(host)
    if first:
        found, snapshot = changes(content, opened.snapshot)
    reports = [*first, *found, *said]
    if end is not None:
        reports.append(Report("end", None, ending(end, content), key=key + b"end"))
        opened = replace(opened, ended=end, ended_us=now_us)
    return Turn(replace(opened, snapshot=snapshot), reports)


def keys_of(content: dict[str, Any], key: bytes) -> list[bytes]:
    """Return the keys that reports of a request to change the job may have."""
    return [
        key + b"status",
        key + b"end",
        *(key + b"%d" % number for number in range(len(content))),
    ]


def _keyed(reports: list[Report], key: bytes) -> list[Report]:
    return [one._replace(key=key + b"%d" % number) for number, one in enumerate(reports)]
