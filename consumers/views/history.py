"""Views of a job as they were: its stream folded up to a position or a time.

The fold is the projector's own. It begins at the nearest mark before that is stored, or was passed
by a look before: a slider that moves looks at places that are near.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import views
from consumers.errors import StoreUnavailable
from consumers.folding.checks import LATEST_TIME
from consumers.folding.decoding import event_of
from consumers.folding.marks import START, Mark, hash_of
from consumers.store.marks import StoredMarks
from consumers.views.archive.reader import StoredArchive
from consumers.views.of_packages.reader import check_known, view_state
from consumers.views.opening import open_databases
from consumers.views.run_state import reading
from consumers.views.run_state.view import VIEW as RUN_STATE
from synapse_stream.entries.batch import decode_events
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import DecodeError, LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.ports.views import Beside
from synapse_stream.reading.job_reader import JobReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from consumers.views.port import View
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.archive import Archive
    from synapse_stream.ports.views import RunState, ViewState
    from synapse_stream.settings import Settings

_EVENTS_BETWEEN = 1_000
_MARKS_OF_A_JOB = 256
_BYTES_KEPT = 64 * 1024 * 1024
_CANDIDATES = 3  # marks of what a server has lost may come first
_NOTHING = RecordedBatch(0, 0, None)

_Key = tuple[str, str]


class Folded(NamedTuple):
    """What folding has come to."""

    document: bytes
    parked: int
    """How many events could not be folded."""
    marks: list[Mark]
    """That were passed, in order."""


def fold_until(
    view: View,
    job_id: str,
    start: Mark,
    entries: Iterable[RecordedBatch],
    at: Position | int,
    between: int = _EVENTS_BETWEEN,
) -> Folded:
    """Fold the entries behind `start` up to and with a position, or up to a time.

    A time is reached before the first event, in the order of the stream, that was reported later.

    Args:
        view: what to fold.
        job_id: whose.
        start: where to begin.
        entries: of the job's stream, in order; those up to `start` are left out already.
        at: where to end.
        between: about how many events lie between two marks.
    """
    fold = view.fold(job_id, start.document)
    latest, parked = start.time, start.parked
    passed: list[Mark] = []
    unmarked = 0
    for entry in entries:
        times = _times(entry)
        wanted = _count(entry, times, at)
        if wanted:
            parked += len(fold.apply(_first(entry, wanted)))
        if wanted < len(times):
            break
        latest = max(latest, *times)
        unmarked += len(times)
        if unmarked >= between:
            unmarked = 0
            place = (entry.ms, entry.seq)
            passed.append(Mark(place, hash_of(entry), latest, parked, fold.document()))
    return Folded(fold.document(), parked, passed)


class History:
    """States of before, of any job. May be used from several threads."""

    def __init__(
        self, log: EventLog, open_archive: Callable[[], Archive], stored: StoredMarks
    ) -> None:
        """Read from `log`, and what was trimmed from the archive; all is closed with this."""
        self._log = log
        self._stored = stored
        self._reader = JobReader(log, open_archive)
        self._marks = _Marks()
        self._is_checked = False

    def state(self, job_id: str, at: Position | int) -> RunState | None:
        """Return the run state as it was; None when no event of the job had been recorded.

        Raises:
            Trimmed: some is no longer in the stream, and no archive has it.
            LogUnavailable, StoreUnavailable: the server or the archive did not answer.
            ConfigError: the settings are not those of the deployment.
        """
        found = self._folded(RUN_STATE, job_id, at)
        return reading.run_state(job_id, found.document, Beside(found.parked))

    def view(self, name: str, job_id: str, at: Position | int) -> ViewState | None:
        """Return what the view of another package had of a job; raises as `state`, and LookupError.

        None when no event of the job had been recorded.
        """
        check_known(name)
        found = self._folded(views.find(name), job_id, at)
        state = view_state(name, job_id, found.document, parked=found.parked)
        return None if state.position == BEGINNING else state

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()
        self._stored.close()
        self._log.close()

    def _folded(self, view: View, job_id: str, at: Position | int) -> Folded:
        if not self._is_checked:
            self._log.check(found=False)
            self._is_checked = True
        until = None if isinstance(at, int) else at
        for start in self._starts(view, job_id, at):
            entries = self._reader.entries(job_id, Position(*start.entry), until=until)
            try:
                if start.is_at(next(entries, _NOTHING)):
                    return self._fold(view, job_id, start, entries, at)
            except (LogUnavailable, StoreUnavailable):
                raise
            except Exception:  # noqa: BLE001, S112 - outdated, trimmed or damaged: another may do
                continue
        return self._fold(view, job_id, START, self._reader.entries(job_id, until=until), at)

    def _starts(self, view: View, job_id: str, at: Position | int) -> list[Mark]:
        """Return marks to go on from, the latest first."""
        found = self._stored.before(view.name, job_id, at, limit=_CANDIDATES)
        found += self._marks.before((view.name, job_id), at, limit=_CANDIDATES)
        return sorted(found, key=lambda mark: mark.entry, reverse=True)

    def _fold(
        self,
        view: View,
        job_id: str,
        start: Mark,
        entries: Iterable[RecordedBatch],
        at: Position | int,
    ) -> Folded:
        key = (view.name, job_id)
        found = fold_until(view, job_id, start, entries, at, self._marks.between(key))
        self._marks.add(key, found.marks)
        return found


class _Kept:
    """Marks of one job, in order."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.between = _EVENTS_BETWEEN

    @property
    def size(self) -> int:
        return sum(len(mark.document or b"") for mark in self.marks)

    def add(self, marks: Iterable[Mark]) -> None:
        """Keep marks; when they become many, every second one, and farther apart from then on."""
        self.marks = sorted({mark.entry: mark for mark in (*self.marks, *marks)}.values())
        while len(self.marks) > _MARKS_OF_A_JOB:
            self.marks = self.marks[1::2]
            self.between *= 2


class _Marks:
    """Marks of the jobs that were looked at last, by view and job, up to some bytes."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[_Key, _Kept] = OrderedDict()
        self._lock = Lock()

    def before(self, key: _Key, at: Position | int, *, limit: int) -> list[Mark]:
        """Return the last marks before `at`."""
        with self._lock:
            kept = self._jobs.get(key) or _Kept()
            return list(islice(filter(lambda m: m.is_before(at), reversed(kept.marks)), limit))

    def between(self, key: _Key) -> int:
        """Return how far apart new marks shall be."""
        with self._lock:
            return (self._jobs.get(key) or _Kept()).between

    def add(self, key: _Key, marks: Iterable[Mark]) -> None:
        """Keep marks, and drop those of jobs that nobody has looked at for longest."""
        with self._lock:
            self._jobs.setdefault(key, _Kept()).add(marks)
            self._jobs.move_to_end(key)
            size = sum(kept.size for kept in self._jobs.values())
            while size > _BYTES_KEPT and len(self._jobs) > 1:
                _, dropped = self._jobs.popitem(last=False)
                size -= dropped.size


def open_history(settings: Settings) -> History:
    """Open the history of a deployment's jobs; the server is connected when first needed.

    Raises:
        ConfigError: the server's URL has no form that is known.
    """
    databases = open_databases(settings)
    return History(open_log(settings), lambda: StoredArchive(databases), StoredMarks(databases))


def _times(entry: RecordedBatch) -> list[int]:
    """Return the time of every line, 0 where there is none that can be; at least one."""
    if entry.batch is None:
        return [0]
    try:
        events: list[Any] = decode_events(entry.batch.data)
    except DecodeError:
        events = []
    lines = entry.batch.lines()
    if len(events) != len(lines):  # some cannot be read, or only together
        events = [event_of(line) for line in lines]
    times = [event.get("time") if isinstance(event, dict) else None for event in events]
    return [t if isinstance(t, int) and t < LATEST_TIME else 0 for t in times] or [0]


def _count(entry: RecordedBatch, times: Sequence[int], at: Position | int) -> int:
    """Return how many lines of an entry lie up to `at`."""
    if isinstance(at, int):
        return next((count for count, time in enumerate(times) if time > at), len(times))
    here = (entry.ms, entry.seq)
    if here == at[:2]:
        return min(at.index + 1, len(times))
    return len(times) if here < at[:2] else 0


def _first(entry: RecordedBatch, count: int) -> RecordedBatch:
    """Return an entry with its first lines only."""
    batch = entry.batch
    lines = batch.lines() if batch else []
    if batch is None or count >= len(lines):
        return entry
    data = b"".join(line + b"\n" for line in lines[:count])
    last = min(batch.last, batch.first + count - 1)
    return entry._replace(batch=replace(batch, last=last, data=data))
