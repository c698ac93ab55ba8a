"""Appending what has no number of its own: in one step with what is known of it then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.log.appending import append_kept
from synapse_stream.log.revoking import RevokingLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch

_HOUR_SECONDS = 3600
_KEYS_MS = 2 * _HOUR_SECONDS * 1000
_BOOK_MS = 30 * 24 * _HOUR_SECONDS * 1000


class Kept(NamedTuple):
    """What is kept beside a job's stream, and changes with it."""

    book: bytes
    """What is known of the job."""
    keys: Sequence[bytes] = ()
    """By which what is appended is known again, for an hour at least."""
    door: str = "book"
    """By which it came: each has a book of its own."""


class IngestLog(RevokingLog):
    """A log that keeps a book of a job beside its stream, and keys of what it holds."""

    def book(self, job_id: str, door: str) -> bytes | None:
        """Return the book that a job has at a door; None if it has none."""
        found: bytes | None = self._command(
            f"looking what is known of job {job_id!r}", "GET", self.keys.book(job_id, door)
        )
        return found

    def look(self, job_id: str, keys: Sequence[bytes]) -> tuple[bytes | None, set[bytes]]:
        """Return the book of a job, None if it has none, and which keys are there.

        The book is read first: who appends behind it only if it stands unchanged has seen all keys.
        """
        commands: list[tuple[object, ...]] = [("GET", self.keys.book(job_id))]
        hours = self._hours()
        if keys:
            commands += [("HMGET", self.keys.once(job_id, hour), *keys) for hour in hours]
        with self._translated(f"looking what is known of job {job_id!r}"):
            book, *found = self._execute_all(commands)
        return book, {key for page in found for key, there in zip(keys, page, strict=True) if there}

    def append_kept(self, batch: Batch, kept: Kept) -> Ack:
        """Append `batch` as `append` does, and if it was, keep the book and the keys."""
        job_id = batch.job_id
        beside = (self.keys.book(job_id, kept.door), self.keys.once(job_id, self._hours()[0]))
        words = (kept.book, _BOOK_MS, _KEYS_MS, *kept.keys)
        with self._translated(f"appending to job {job_id!r}"):
            return append_kept(self._client, self.keys, batch, beside, words)

    def keep(self, job_id: str, book: bytes) -> None:
        """Keep a book to which nothing was appended."""
        doing, key = f"keeping what is known of job {job_id!r}", self.keys.book(job_id)
        self._command(doing, "SET", key, book, "PX", _BOOK_MS)

    def _hours(self) -> tuple[int, int]:
        """Return the numbers of this hour and the one before, by the clock of this host."""
        hour = int(time.time()) // _HOUR_SECONDS
        return hour, hour - 1
