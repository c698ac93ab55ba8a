"""Read a job's entries wherever they are: in its stream, or where that was trimmed, in the archive.

A stream is trimmed from its beginning, and only of what is archived. So a page of it is whole if
the entry to begin at is still there, or nothing was ever removed. Else there may be a gap before
the page, and what the archive has from that place on comes first. It is asked after the stream: an
entry that was trimmed before the page was read is archived by then.

A reading that has come to the archive goes on there by index until its end, since ids of archived
entries neither need to rise nor to differ; behind its last entry it goes on in the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import ConfigError, Trimmed
from synapse_stream.log.replies import entry_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.erasing import Erasure
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.archive import Archive, Manifest

_FIRST_PAGE, _PAGE = 4, 20  # entries; one may hold some megabytes
PAGE_BYTES = 1024 * 1024


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
        return self.reading(job_id, position, until=until).read(limit)

    def entries(
        self,
        job_id: str,
        position: Position = BEGINNING,
        *,
        until: Position | None = None,
        page_bytes: int = PAGE_BYTES,
    ) -> Iterator[RecordedBatch]:
        """Yield entries from that of `position` on to the end, in memory page by page."""
        reading = self.reading(job_id, position, until=until)
        limit = max(1, _FIRST_PAGE * page_bytes // PAGE_BYTES)
        while page := reading.read(limit):
            size = sum(len(entry.batch.data) for entry in page if entry.batch)
            is_last = len(page) < limit
            limit = max(1, min(_PAGE, 2 * limit, page_bytes * len(page) // max(1, size)))
            page.reverse()
            while page:  # what has been yielded need not be kept for what is yielded slowly
                yield page.pop()
            if is_last:
                return

    def reading(
        self, job_id: str, position: Position = BEGINNING, *, until: Position | None = None
    ) -> Reading:
        """Begin to read in pages what `read_after` would return without a limit."""
        return Reading(self, job_id, position, until)

    def joins(self, job_id: str) -> dict[str, Sequence[Sequence[Any]]]:
        """Return by producer the joins of a job that its entries alone do not show.

        A stream that was never trimmed has what came again itself.
        """
        manifest = self._manifest(job_id)
        producers = manifest.producers if manifest else {}
        return {name: mark.joins for name, mark in producers.items() if mark.joins}

    def erasures(self, job_id: str) -> Sequence[Erasure]:
        """Return the lines of a job that were erased; a stream that was never trimmed has all."""
        manifest = self._manifest(job_id)
        return manifest.erasures if manifest else ()

    def _manifest(self, job_id: str) -> Manifest | None:
        """Return what the archive has of a job that its stream may lack."""
        may_lack = self.may_lack(job_id, BEGINNING)
        archive = self.archive(job_id, BEGINNING) if may_lack else None
        return archive.manifest(job_id) if archive else None

    def close(self) -> None:
        """Disconnect from the archive."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def may_lack(self, job_id: str, position: Position) -> bool:
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

    def archive(self, job_id: str, position: Position) -> Archive | None:
        """Return the archive; None if there is none, and no such job either.

        Raises:
            Trimmed: there is none, and the stream was trimmed behind `position`.
        """
        try:
            self._archive = self._archive or self._open_archive()
        except ConfigError as error:
            self._refuse_loss(job_id, position, error)
        return self._archive

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

    def refuse_gap(self, job_id: str, page: list[RecordedBatch]) -> None:
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


class _Spot(NamedTuple):
    """How far a reading has come."""

    place: Position
    last: RecordedBatch | None = None
    following: int | None = None
    """Index of what follows in the archive, when that is where it goes on."""

    def behind(self, page: list[RecordedBatch], following: int | None = None) -> _Spot:
        return _Spot(Position(page[-1].ms, page[-1].seq), page[-1], following) if page else self

    def is_met_by(self, page: list[RecordedBatch]) -> bool:
        """Tell whether a page of the stream begins with what was read last."""
        if not page or self.last is None:
            return bool(page) and page[0][:2] == self.place[:2]
        return _is_same(self.last, page[0])

    def fresh(self, page: list[RecordedBatch]) -> list[RecordedBatch]:
        return page[1:] if self.last is not None and self.is_met_by(page) else page


class Reading:
    """Goes through the entries of one job; after an error it goes on where it was."""

    def __init__(
        self, reader: JobReader, job_id: str, position: Position, until: Position | None
    ) -> None:
        self._reader = reader
        self._job_id = job_id
        self._until = until
        self._spot = _Spot(position)

    def read(self, limit: int) -> list[RecordedBatch]:
        """Return the next entries, oldest first; fewer than `limit` only at the end.

        Raises what `JobReader.read_after` does.
        """
        found: list[RecordedBatch] = []
        spot = self._spot
        while len(found) < limit:
            page, spot = self._next(spot, limit - len(found))
            found += page
            if not page or spot.following is None:
                break
        self._spot = spot
        return found

    def wait(self, *, block_ms: int, limit: int) -> list[RecordedBatch]:
        """Return the next entries, waiting for the first up to `block_ms`, or 5 s.

        May come back empty. Raises what `read` does.
        """
        spot = self._spot
        if spot.following is not None and (page := self.read(limit)):
            return page
        log = self._reader.log
        page = log.wait_after(self._job_id, spot.place, block_ms=block_ms, limit=limit)
        if spot.following is not None or self._reader.may_lack(self._job_id, spot.place):
            return self.read(limit)
        self._spot = spot.behind(page)
        return page

    def _next(self, spot: _Spot, limit: int) -> tuple[list[RecordedBatch], _Spot]:
        """Return entries behind `spot`, and the spot behind them; from the stream to the limit."""
        reader, job_id = self._reader, self._job_id
        if spot.following is not None and (archived := self._archived(spot, limit)):
            return archived, spot.behind(archived, spot.following + len(archived))
        asked = limit + (spot.last is not None)  # that one comes again: it shows there is no gap
        page = reader.log.read_after(job_id, spot.place, limit=asked, until=self._until)
        fresh = spot.fresh(page)[:limit]
        if spot.is_met_by(page) or not reader.may_lack(job_id, spot.place):
            return fresh, spot.behind(fresh)
        index = self._index(spot)
        archived = self._archived(spot._replace(following=index), limit)
        if archived:
            return archived, spot.behind(archived, index + len(archived))
        reader.refuse_gap(job_id, fresh)
        return fresh, spot.behind(fresh)

    def _index(self, spot: _Spot) -> int:
        """Return where what follows `spot` is in the archive."""
        archive = self._reader.archive(self._job_id, spot.place)
        if spot.following is not None or archive is None:
            return spot.following or 0
        index = archive.find(self._job_id, spot.place)
        there = archive.read(self._job_id, index, limit=1) if spot.last else []
        return index + bool(there and spot.last and _is_same(there[0], spot.last))

    def _archived(self, spot: _Spot, limit: int) -> list[RecordedBatch]:
        archive = self._reader.archive(self._job_id, spot.place)
        if archive is None or spot.following is None:
            return []
        return archive.read(self._job_id, spot.following, limit=limit, until=self._until)


def _is_same(one: RecordedBatch, other: RecordedBatch) -> bool:
    """Tell whether it is one entry, be it compressed or not; the id alone does not tell."""
    return one[:4] == other[:4]
