"""Read a job's entries wherever they are: in its stream, or where that was trimmed, in the archive.

A stream is trimmed from its beginning, and only of what is archived. So a page of it is whole if
the entry to begin at is still there, or nothing was ever removed. Else there may be a gap before
the page, and what the archive has from that place on comes first. It is asked after the stream: an
entry that was trimmed before the page was read is archived by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError, Trimmed
from synapse_stream.log.replies import entry_id
from synapse_stream.position import BEGINNING, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_stream.archive import Archive
    from synapse_stream.log.event_log import EventLog, RecordedBatch

_PAGE = 20  # entries; one may hold some megabytes


class JobReader:
    """The entries of every job, without gap or repeat, also while streams are trimmed.

    Its methods promise what those of EventLog do. They may be called from several threads.
    """

    def __init__(self, log: EventLog, open_archive: Callable[[], Archive]) -> None:
        """Read from `log`, which stays open; the archive is opened when it is first needed.

        `open_archive` may raise ConfigError: then there is none.
        """
        self.log = log
        """The streams alone."""
        self._open_archive = open_archive
        self._archive: Archive | None = None

    def read_after(
        self, job_id: str, position: Position, *, limit: int = 100, until: Position | None = None
    ) -> list[RecordedBatch]:
        """Read entries from that of `position` on, oldest first; an unknown job has none.

        The entry of `position` is included, if it is there still or archived.

        Args:
            job_id: whose entries.
            position: where to begin; BEGINNING for all.
            limit: most entries to return; fewer come back only at the end.
            until: the last entry to return is this position's; None reads to the end.

        Raises:
            Trimmed: some are no longer in the stream, nor in the archive, or there is no archive.
            LogUnavailable: the server did not answer.
            SynapseStreamError: the archive could not be read.
        """
        found: list[RecordedBatch] = []
        place = position
        while True:
            wanted = limit - len(found) + bool(found)  # the entry that it ends with comes again
            page = self.log.read_after(job_id, place, limit=wanted, until=until)
            if _begins_at(place, page) or not self._may_lack(job_id, place):
                return (found + _behind(found, page))[:limit]
            archived = self._archived(job_id, place, wanted, until)
            more = _behind(found, archived)
            if not more:
                self._refuse_gap(job_id, page)
                return (found + _behind(found, page))[:limit]
            found += more
            if len(found) >= limit:
                return found
            place = _place(found[-1])

    def wait_after(
        self, job_id: str, position: Position, *, block_ms: int, limit: int = 100
    ) -> list[RecordedBatch]:
        """Read entries behind that of `position`, waiting for the first up to `block_ms`, or 5 s.

        Unlike in `read_after`, the entry of `position` is not included. May come back empty.
        """
        page = self.log.wait_after(job_id, position, block_ms=block_ms, limit=limit)
        if not self._may_lack(job_id, position):
            return page
        found = self.read_after(job_id, position, limit=limit + 1)
        return found[1:] if _begins_at(position, found) else found[:limit]

    def entries(
        self, job_id: str, position: Position = BEGINNING, *, until: Position | None = None
    ) -> Iterator[RecordedBatch]:
        """Yield entries from that of `position` on to the end, in memory page by page."""
        page = self.read_after(job_id, position, limit=_PAGE, until=until)
        while page:
            yield from page
            if len(page) < _PAGE:
                return
            # read again with it, a page shows that nothing between was trimmed
            following = self.read_after(job_id, _place(page[-1]), limit=_PAGE + 1, until=until)
            page = _behind(page, following)

    def close(self) -> None:
        """Disconnect from the archive."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def _may_lack(self, job_id: str, position: Position) -> bool:
        """Tell whether entries from that of `position` on may have been removed from the stream.

        Never False when one was. True without need when what was removed ends just before it, and
        for a stream that never was.
        """
        info = self.log.stream_info(self.log.keys.job(job_id))
        if info is None:
            return True
        if info[b"entries-added"] <= info[b"length"]:
            return False
        first = info[b"first-entry"]
        if first is None:
            return entry_id(info[b"last-generated-id"]) >= position[:2]
        # XTRIM leaves max-deleted-entry-id as it is; only XDEL moves it (Redis 7.0 to Valkey 9)
        deleted = entry_id(info[b"max-deleted-entry-id"])
        return entry_id(first[0]) > position[:2] or (0, 0) < position[:2] <= deleted

    def _archived(
        self, job_id: str, position: Position, limit: int, until: Position | None
    ) -> list[RecordedBatch]:
        try:
            self._archive = self._archive or self._open_archive()
        except ConfigError as error:
            self._refuse_loss(job_id, position, error)
            return []
        return self._archive.read_after(job_id, position, limit=limit, until=until)

    def _refuse_loss(self, job_id: str, position: Position, error: ConfigError) -> None:
        """Raise Trimmed unless there is no such job at all."""
        info = self.log.stream_info(self.log.keys.job(job_id))
        if info is None and position == BEGINNING and not self.log.knows(job_id):
            return
        first = info and info[b"first-entry"]
        rest = f"it begins at {first[0].decode()}" if first else "nothing of it is left"
        msg = (
            f"the stream of job {job_id!r} was trimmed behind {position}: {rest}, and there is no "
            f"archive to read what is missing from: {error}"
        )
        raise Trimmed(msg) from error

    def _refuse_gap(self, job_id: str, page: list[RecordedBatch]) -> None:
        """Raise Trimmed if a page does not follow what the archive has."""
        if self._archive is None or not page:
            return
        known = dict(self._archive.last_numbers(job_id))
        for entry in page:
            if entry.batch is None:
                continue
            last = known.get(entry.batch.producer, -1)
            if entry.batch.first > last + 1:
                msg = (
                    f"the stream of job {job_id!r} was trimmed before {entry.ms}-{entry.seq} of "
                    f"what is not archived: numbers {last + 1} to {entry.batch.first - 1} of "
                    f"producer {entry.batch.producer} are gone; let only `trim` trim streams"
                )
                raise Trimmed(msg)
            known[entry.batch.producer] = max(last, entry.batch.last)


def _place(entry: RecordedBatch) -> Position:
    return Position(entry.ms, entry.seq)


def _begins_at(position: Position, page: list[RecordedBatch]) -> bool:
    return bool(page) and page[0][:2] == position[:2]


def _behind(found: list[RecordedBatch], page: list[RecordedBatch]) -> list[RecordedBatch]:
    """Return a page without the entry that `found` ends with, from whose place on it was read."""
    if found and _begins_at(_place(found[-1]), page):
        return page[1:]
    return page
