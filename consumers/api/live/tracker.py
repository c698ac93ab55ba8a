"""One watched job at the reading end: its run state, folded up to what was read of its stream."""

from __future__ import annotations

import time
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple, Self

import orjson

from consumers.api import shapes, viewers
from consumers.api.live.frames import frame
from consumers.api.live.pages import Pages, last_position
from consumers.folding.fold import JobFold
from consumers.views.run_state import reading
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import Trimmed
from synapse_stream.ports.views.quotas import NOTHING

if TYPE_CHECKING:
    from consumers.api.live.frames import Frame
    from consumers.store.store import Store
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.ports.views import Beside, Health, RunState
    from synapse_stream.reading.job_reader import JobReader

_FRAME_BYTES = 128 * 1024
_STATE_SECONDS = 0.25
_STATE_SHARE = 20
"""A state that takes long to make is made seldom: one part of so many of the time."""
_HEALTH_SECONDS = 2.0


class Snapshot(NamedTuple):
    """A job's run state as JSON, and the last event in it."""

    position: Position
    json: bytes
    seen: bytes | None = None
    """What viewers get in its place, if that is something else."""


class Read(NamedTuple):
    """What one page of the stream has brought."""

    frames: list[Frame]
    has_more: bool
    is_lost: bool
    """True when the stream is not the one that was read: call `find_place`."""


class Tracker:
    """Reads, folds and encodes one job. Not thread-safe; knows no client."""

    def __init__(self, job_id: str, fold: JobFold, beside: Beside = NOTHING) -> None:
        self.job_id = job_id
        self.position = fold.position or BEGINNING
        """Of the last event that was read."""
        self.beside = beside
        """What other views tell of the job; may be set at any time."""
        self._fold = fold
        self._pages = Pages(job_id, self.position)
        self._shown: RunState | None = None
        self._health: Health | None = None
        self._beside = beside
        self._state_at = 0.0
        self._health_at = 0.0

    @classmethod
    def load(
        cls, job_id: str, store: Store, reader: JobReader, *, beside: Beside, rewind_ms: int
    ) -> Self:
        """Begin with what is committed of a job, and read the rest of its stream.

        Without a view, or with one of another version or a damaged one, that is all of the stream.

        Raises:
            LogUnavailable, StoreUnavailable: try again later.
        """
        document = store.jobs.load(RunStateView.name, [job_id]).get(job_id)
        try:
            fold = JobFold(RunStateView, job_id, document)
        except Exception:  # noqa: BLE001 - outdated, or damaged: the stream has it all
            fold = JobFold(RunStateView, job_id, None)
        tracker = cls(job_id, fold, beside)
        if not tracker._has_place(reader):
            tracker.find_place(reader, rewind_ms)
        while not tracker._pages.is_at_end:
            page = tracker._pages.read(reader, partial(tracker._follows, reader))
            if page is None:
                tracker.find_place(reader, rewind_ms)
            for entry in page or ():
                tracker._take(entry)
        return tracker

    def whose(self, producer: str) -> tuple[int, int]:
        """Return attempt and rank that events of a producer belong to; for any thread."""
        return self._fold.whose(producer)

    def find_place(self, reader: JobReader, rewind_ms: int) -> None:
        """Go back to the last entry behind which something fresh may stand.

        For a stream that is not the one that was read: its server lost the tail, and where its
        clock went back, new entries may stand before `position`. None are looked for that are older
        by `rewind_ms`. What is known is not returned again.

        Raises:
            LogUnavailable, StoreUnavailable: nothing has changed.
        """
        wanted = self.position
        place, last = Position(max(0, wanted.ms - rewind_ms), 0), None
        pages = Pages(self.job_id, place)
        while not pages.is_at_end:
            page = pages.read(reader, follows=bool) or []
            known = list(takewhile(lambda entry: not self._is_fresh(entry, wanted), page))
            if known:
                place, last = last_position(known[-1]), known[-1]
            if len(known) < len(page):
                break
        self.position = place
        self._pages = Pages(self.job_id, place, last)

    def read(self, reader: JobReader) -> Read:
        """Read on, fold, and encode what is fresh.

        Raises:
            LogUnavailable, StoreUnavailable: nothing was read.
        """
        page = self._pages.read(reader, partial(self._follows, reader))
        if page is None:
            return Read([], has_more=False, is_lost=True)
        frames: list[Frame] = []
        pending: list[tuple[Position, list[shapes.Line]]] = []
        size = 0
        for entry in page:
            lines = self._take(entry)
            pending.append((self.position, lines))
            size += sum(len(line.json) for line in lines)
            if size >= _FRAME_BYTES:
                frames.append(frame(pending, self.whose))
                size, pending = 0, []
        if pending:
            frames.append(frame(pending, self.whose))
        shown = [made for made in frames if made.data]
        return Read(shown, has_more=not self._pages.is_at_end, is_lost=False)

    def snapshot(self, now_ms: int, judging_ms: int) -> Snapshot | None:
        """Return the run state as it is now; None for a job of which nothing could be folded.

        Both times are of the server's clock; health is judged by the second.
        """
        begun = time.monotonic()
        beside = self.beside
        state = reading.run_state(self.job_id, self._fold.document(), beside)
        if state is None:
            return None
        self._fold.rows()  # from here on it has not changed
        self._shown, self._health = state, state.health(judging_ms)
        self._beside = beside
        age = max(0, now_ms - self.position.ms) / 1000
        fields = {"position": str(self.position), **shapes.job(state, judging_ms)}
        whole = {**fields, "age_seconds": age, "now_ms": now_ms}
        body, seen = orjson.dumps(whole), viewers.job(whole)
        ended = time.monotonic()
        self._state_at = ended + max(_STATE_SECONDS, _STATE_SHARE * (ended - begun))
        return Snapshot(self.position, body, None if seen is whole else orjson.dumps(seen))

    def news(self, now_ms: int, judging_ms: int) -> Snapshot | None:
        """Return the run state if it has changed and it is time to show it.

        Health changes without events, and what other views tell from outside.
        """
        now = time.monotonic()
        if self._fold.has_changed:
            return self.snapshot(now_ms, judging_ms) if now >= self._state_at else None
        if self._shown is None or now < self._health_at:
            return None
        self._health_at = now + _HEALTH_SECONDS
        now_known = (self._shown.health(judging_ms), self.beside)
        if now_known == (self._health, self._beside):
            return None
        return self.snapshot(now_ms, judging_ms)

    def _take(self, entry: RecordedBatch) -> list[shapes.Line]:
        """Fold one entry; return its lines that were not read before the server lost its tail."""
        lines = list(shapes.lines(entry))
        self.position = lines[-1].position if lines else Position(entry.ms, entry.seq)
        if entry.batch is not None:
            known = self._fold.last(entry.batch.producer)
            # counted from the back, since a loss is one line for all the numbers of its batch
            first = entry.batch.last + 1 - len(lines)
            lines = lines[max(0, known + 1 - first) :]
        self._fold.apply(entry)
        return lines

    def _has_place(self, reader: JobReader) -> bool:
        place = self.position
        try:
            there = reader.read_after(self.job_id, place, limit=1, until=place)
        except Trimmed:
            return False
        return bool(there) and not self._is_fresh(there[0], place)

    def _follows(self, reader: JobReader, page: list[RecordedBatch]) -> bool:
        """Tell whether a stream that lacks what was read last was only trimmed up to there.

        Then it begins with entries that go on with the numbers of their producers.
        """
        if not page or reader.log.read_after(self.job_id, BEGINNING, limit=1)[:1] != page[:1]:
            return False
        ahead: dict[str, int] = {}
        for batch in (entry.batch for entry in page):
            if batch is not None:
                known = ahead.get(batch.producer, self._fold.last(batch.producer))
                if batch.first != known + 1:
                    return False
                ahead[batch.producer] = batch.last
        return True

    def _is_fresh(self, entry: RecordedBatch, before: Position) -> bool:
        if entry.batch is None:
            return (entry.ms, entry.seq) > before[:2]
        return entry.batch.last > self._fold.last(entry.batch.producer)
