"""Do the views hold what a fresh fold of the streams gives: all of it, once, in order?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers import views
from consumers.folding import canonical
from consumers.folding.fold import JobFold
from consumers.store.store import Store
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.reader import StoredArchive
from consumers.views.opening import open_databases
from synapse_stream.log.event_log import open_log
from synapse_stream.reading.job_reader import JobReader
from tests.support.scenes.audit import Tally, read_all
from tests.support.scenes.compare_archive import compare_archive
from tests.support.scenes.counting import count

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from consumers.views.message_feed.rows import MessageRow
    from consumers.views.metric_history.rows import Points
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.ports.job_view import JobView
    from synapse_stream.settings import Settings

MOST_PARKED = 1_000_000


class Content:
    """What one projection has of one job: its document, its rows as things to be counted."""

    def __init__(
        self, view: type[JobView], document: bytes, rows: Any, parked: Iterable[Any]
    ) -> None:
        self.by_position = view.by_position
        self.document = document
        self.rows = rows
        self.parked = sorted(parked)

    def things(self, *, positions: bool) -> dict[Hashable, list[Hashable]]:
        """Return the rows by series or feed, in order."""
        if isinstance(self.rows, dict):
            return {key: _points(points, positions=positions) for key, points in self.rows.items()}
        if self.rows is None:
            return {}
        rows: list[Hashable] = [row if positions else _without_place(row) for row in self.rows]
        return {"feed": rows}

    def dump(self, *, positions: bool) -> bytes:
        """Return all of it in the one form in which views are compared."""
        dumped = canonical.of_document(self.document, None if positions else self.by_position)
        return dumped if self.rows is None else dumped + self.rows.canonical(positions=positions)


class Comparison:
    """Compares the views of a deployment with its streams.

    Args:
        settings: of the deployment.
        positions: False when a server lost its tail: the same events came again with other ids.
        trimmed: True when what was trimmed from the streams is to be read from the archive.
    """

    def __init__(
        self, settings: Settings, *, positions: bool = True, trimmed: bool = False
    ) -> None:
        self._settings = settings
        self._positions = positions
        self._databases = open_databases(settings)
        self._store = Store(self._databases)
        self._archive = StoredArchive(self._databases)
        self._log = open_log(settings)
        self._reader = JobReader(self._log, lambda: self._archive) if trimmed else None

    def of_jobs(self, jobs: Iterable[str], projections: Sequence[str] = ()) -> Tally:
        """Compare all projections, or some, of these jobs."""
        tally = Tally()
        for job in jobs:
            entries = list(self.entries(job))
            if not projections or ArchiveFold.name in projections:
                compare_archive(tally, job, entries, self._archive, positions=self._positions)
            folded = views.folded()
            for name in [one for one in folded if one in (projections or folded)]:
                view = views.find(name).rules
                stored = self.stored(view, job)
                self._compare(tally, f"{name} of {job}", fold(view, job, entries), stored)
        return tally

    def entries(self, job: str) -> Iterator[RecordedBatch]:
        """Yield all that is recorded of a job."""
        return self._reader.entries(job) if self._reader else read_all(self._log, job)

    def stored(self, view: type[JobView], job: str) -> Content:
        """Read what the store has of a job."""
        stored = self._store.jobs.stored(view.name, job)
        assert not isinstance(stored, str), stored
        if stored is None:
            fold = JobFold(view, job, None)
            document, rows = fold.document(), fold.rows()
        else:
            document, rows = stored.document, stored.rows
        found = self._store.parked.list(view.name, job_id=job, limit=MOST_PARKED)
        aside = [(*event.position, event.raw) for event in found]
        return Content(view, document, rows, aside)

    def close(self) -> None:
        """Disconnect."""
        self._databases.close()
        self._log.close()

    def _compare(self, tally: Tally, what: str, expected: Content, stored: Content) -> None:
        positions = self._positions
        wanted, found = (c.things(positions=positions) for c in (expected, stored))
        for key in sorted({*wanted, *found}, key=repr):
            count(tally, f"{what}, {key}", wanted.get(key, []), found.get(key, []))
        if positions:
            count(tally, f"{what}, parked", expected.parked, stored.parked)
        producers = orjson.loads(expected.document)["ledger"]["producers"].values()
        tally.events += sum(mark["last"] + 1 for mark in producers)
        wanted_bytes, found_bytes = (c.dump(positions=positions) for c in (expected, stored))
        if wanted_bytes != found_bytes:
            shown, wanted_here = _difference(found_bytes, wanted_bytes)
            tally.blame("unknown", f"{what} holds {shown} instead of {wanted_here}")


def fold(view: type[JobView], job: str, entries: Iterable[RecordedBatch]) -> Content:
    """Fold a whole stream."""
    folded = JobFold(view, job, None)
    events = [event for entry in entries for event in folded.apply(entry)]
    rows = folded.rows()
    aside = [(*event.position, event.raw) for event in events]
    return Content(view, folded.document(), rows, aside)


def _points(points: Points, *, positions: bool) -> list[Hashable]:
    columns: list[Iterable[Any]] = [points.times, map(repr, points.values)]
    if points.xs is not None:
        columns.append(map(repr, points.xs))
    if positions:
        columns += [points.ms, points.seq, points.index]
    return list(zip(*columns, strict=True))


def _without_place(row: MessageRow) -> Hashable:
    return row._replace(number=0, ms=0, seq=0, line=0)


def _difference(one: bytes, other: bytes) -> tuple[str, str]:
    """Return the parts where the two begin to differ."""
    shortest = min(len(one), len(other))
    place = next((i for i in range(shortest) if one[i] != other[i]), shortest)
    begin, end = max(0, place - 60), place + 60
    return repr(one[begin:end]), repr(other[begin:end])
