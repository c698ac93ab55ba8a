"""Streams as they are kept: what a request changes is appended in one step with what is known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from consumers.api.ingest.durable import values
from consumers.api.ingest.durable.stream import PRODUCER, Judged, Stream, Verdict, Writer
from consumers.api.ingest.sealing import sealed
from synapse_stream.entries.answers import Outcome
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.ingesting import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.api.ingest.synapse import Report
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.log.ingesting import IngestLog
    from synapse_stream.redaction.body import Rules

DOOR = "durable"

_PATIENCE_SECONDS = 8.0
_PAUSE_SECONDS = 0.25
_TOO_MANY = "others append to this stream all the time, so nothing could be appended between"


class Request(NamedTuple):
    """What is appended, by whom, and whether the stream is closed then."""

    reports: Sequence[Report]
    writer: Writer | None = None
    sequence: str | None = None
    closes: bool = False


class Result(NamedTuple):
    """What became of it."""

    judged: Judged
    stream: Stream
    entry: EntryId | None = None
    """The one that was appended."""


class TooLarge(ValueError):
    """What a request appends is more than one batch holds, so it could not be taken whole."""


class Keeper:
    """Makes streams and appends to them. May be used from several threads."""

    def __init__(self, log: IngestLog, rules: Rules) -> None:
        """Append to `log`, with secrets masked, also those that `rules` match."""
        self._log = log
        self._rules = rules

    def find(self, job_id: str) -> Stream | None:
        """Return a stream that was made here.

        Raises:
            LogUnavailable: the server did not answer.
        """
        text = self._log.book(job_id, DOOR)
        return None if text is None else Stream.read(text)

    def make(self, job_id: str, content_type: str, asked: Request, host: str) -> Result | None:
        """Make a stream with what it holds first, or find it; None if others report to that job.

        Raises:
            LogUnavailable: the server did not answer for some seconds; asking again is safe.
            TooLarge: it is too much at once.
        """
        started = asked._replace(reports=[values.begin(host), *asked.reports])

        def judge(stream: Stream | None) -> Result | None:
            if stream is not None:
                return Result(Judged(Verdict.KNOWN), stream)
            is_others = self._log.knows(job_id)
            return None if is_others else Result(Judged(Verdict.TAKEN), Stream(content_type))

        return self._change(job_id, started, judge)

    def append(self, job_id: str, asked: Request) -> Result | None:
        """Append what is new; None if there is no such stream.

        Raises what `make` does.
        """

        def judge(stream: Stream | None) -> Result | None:
            if stream is None:
                return None
            is_empty = not asked.reports
            judged = stream.judge(asked.writer, asked.sequence, is_empty=is_empty)
            return Result(judged, stream)

        return self._change(job_id, asked, judge)

    def _change(
        self, job_id: str, asked: Request, judge: Callable[[Stream | None], Result | None]
    ) -> Result | None:
        """Append what `judge` takes, anew when the stream has changed meanwhile."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                found = judge(self.find(job_id))
                if found is None or found.judged.verdict is not Verdict.TAKEN:
                    return found
                if taken := self._append(job_id, found, asked):
                    return taken
            except LogUnavailable as error:
                if error.is_refusal or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                if time.monotonic() > until:
                    raise LogUnavailable(_TOO_MANY)

    def _append(self, job_id: str, found: Result, asked: Request) -> Result | None:
        """Append once; None if another one was faster."""
        stream = found.stream
        reports = list(asked.reports)
        if asked.closes and not any(one.kind == "end" for one in reports):
            reports.append(values.end())
        head = (stream.last, stream.hash)
        batch, _, is_last = next(sealed(job_id, PRODUCER, head, reports, self._rules))
        if not is_last:
            msg = "it is more than a mebibyte of events at once"
            raise TooLarge(msg)
        after = stream.after(
            asked.writer, asked.sequence, closes=asked.closes, last=batch.last, hash=batch.hash
        )
        ack = self._log.append_kept(batch, Kept(after.written(), door=DOOR))
        if ack.outcome is not Outcome.APPENDED:
            return None
        return Result(found.judged, after, ack.entry)
