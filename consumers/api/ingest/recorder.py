"""Records what comes in another program's form: as batches, in one step with what is known then."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from consumers.api.ingest import book as books
from consumers.api.ingest.book import Book, Turn
from consumers.api.ingest.sealing import sealed
from consumers.api.ingest.synapse import Report, key_of, reports_of
from consumers.api.ingest.trainer import take_status
from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.batch import GENESIS
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.ingesting import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.api.ingest.trainer import Status
    from synapse_stream.entries.batch import Batch
    from synapse_stream.log.ingesting import IngestLog
    from synapse_stream.redaction.body import Rules

_PATIENCE_SECONDS = 8.0
"""The SDK waits 15 s for an answer, and sends again only what was refused before."""
_PAUSE_SECONDS = 0.25


class Recorder:
    """Appends to jobs. May be used from several threads, and several may append to one job."""

    def __init__(self, log: IngestLog, rules: Rules) -> None:
        """Append to `log`, with secrets masked, also those that `rules` match."""
        self._log = log
        self._rules = rules

    def add_entries(self, job_id: str, entries: list[dict[str, Any]], host: str) -> None:
        """Record log entries that are not there yet.

        Raises:
            LogUnavailable: the server did not answer for some seconds; sending again is safe.
        """
        reports = reports_of(entries)
        keys = [one.key for one in reports if one.key]

        def turn(book: Book, known: set[bytes]) -> Turn:
            fresh = _unknown(reports, known)
            return books.take_entries(book, fresh, host) if fresh else Turn(book)

        self._record(job_id, keys, turn)

    def change(self, job_id: str, content: dict[str, Any], body: bytes, host: str) -> None:
        """Record what is new in a request to change a job.

        Raises what `add_entries` does.
        """
        key, now_us = key_of(body), time.time_ns() // 1_000

        def turn(book: Book, known: set[bytes]) -> Turn:
            if book.ended and key + b"end" in known:
                return Turn(book)  # the same request once more
            found = books.take_change(book, content, key, host, now_us)
            return replace(found, reports=_unknown(found.reports, known))

        self._record(job_id, books.keys_of(content, key), turn)

    def add_status(self, job_id: str, status: Status, body: bytes, host: str) -> None:
        """Record what is new in a trainer's status.

        Raises what `add_entries` does.
        """
        key = key_of(body)

        def turn(book: Book, known: set[bytes]) -> Turn:
            return Turn(book) if key in known else take_status(book, status, key, host)

        self._record(job_id, [key], turn)

    def _record(
        self, job_id: str, keys: Sequence[bytes], turn: Callable[[Book, set[bytes]], Turn]
    ) -> None:
        """Append what follows from what is there, anew when that has changed meanwhile."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                text, known = self._log.look(job_id, keys)
                if self._try(job_id, Book.read(text), turn, known):
                    return
            except LogUnavailable as error:
                if error.is_refusal or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _try(
        self,
        job_id: str,
        before: Book,
        turn: Callable[[Book, set[bytes]], Turn],
        known: set[bytes],
    ) -> bool:
        """Append once; False if another one was faster."""
        found = turn(before, known)
        if not found.reports:
            if found.book != before:
                self._log.keep(job_id, found.book.written())
            return True
        if found.is_late:
            return self._append_late(job_id, before, found)
        attempt = found.book.attempt
        start = before if attempt == before.attempt else Book(attempt, by=found.book.by)
        head = (start.last, start.hash)
        for batch, keys, is_last in sealed(
            job_id, start.producer, head, found.reports, self._rules
        ):
            book = found.book if is_last else start
            if not self._append(batch, keys, replace(book, last=batch.last, hash=batch.hash)):
                return False
        return True

    def _append_late(self, job_id: str, before: Book, found: Turn) -> bool:
        """Append behind the end of the attempt: as a producer that says all it has at once."""
        joined = Report("joined", None, {"parent": before.producer})
        left = Report("end", None, {"status": None})
        name = f"{before.producer}.late{found.book.late}"
        reports = [joined, *found.reports, left]
        head = (-1, GENESIS)
        for batch, keys, is_last in sealed(job_id, name, head, reports, self._rules):
            if not self._append(batch, keys, found.book if is_last else before):
                return False
        return True

    def _append(self, batch: Batch, keys: list[bytes], book: Book) -> bool:
        kept = Kept(book.written(), keys)
        return self._log.append_kept(batch, kept).outcome is Outcome.APPENDED


def _unknown(reports: Sequence[Report], known: set[bytes]) -> list[Report]:
    """Return those that are not there; what has no key belongs to the one before it."""
    found, is_fresh = [], True
    for one in reports:
        is_fresh = one.key not in known if one.key else is_fresh
        if is_fresh:
            found.append(one)
    return found
