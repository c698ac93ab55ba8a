"""States of before begin at marks that the run-state projection has left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumers.folding import marking
from consumers.folding.fold import JobFold
from consumers.folding.marks import START, Mark
from consumers.store import jobs
from consumers.store.marks import StoredMarks
from consumers.views.history import History
from consumers.views.opening import open_archive, open_databases
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import encode_fields
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.log.event_log import open_log
from tests.support import events
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.raw import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings
    from tests.support.archiving import Archiver

JOB = "job-1"
TIME = 1_763_880_000_000_000
SECOND = 1_000_000
LAST = Position(2**60, 0)


@pytest.fixture(autouse=True)
def _marks_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "EVENTS", 50)


@pytest.fixture
def marks(settings: Settings) -> Iterator[StoredMarks]:
    opened = StoredMarks(open_databases(settings))
    yield opened
    opened.close()


class Looking:
    """Looks back without anything kept from looks before, and counts what is read for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.read = 0

    def state(self, at: Position | int, marks: Any = None) -> RunState | None:
        log = open_log(self.settings)
        read_after = log.read_after

        def counting(*arguments: Any, **options: Any) -> list[RecordedBatch]:
            found = read_after(*arguments, **options)
            self.read += len(found)
            return found

        log.read_after = counting  # type: ignore[method-assign]
        stored = marks or StoredMarks(open_databases(self.settings))
        history = History(log, lambda: open_archive(self.settings), stored)
        try:
            return history.state(JOB, at)
        finally:
            history.close()


class NoMarks:
    """Folds begin at the first event."""

    def before(self, *_: Any, **__: Any) -> list[Mark]:
        return []

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def looking(settings: Settings) -> Looking:
    return Looking(settings)


def progress(number: int) -> dict[str, Any]:
    report = events.progress(number, 9_999, f"s{number % 3}")
    return {**report, "time": TIME + number * SECOND}


def fill(log: FeedLog, *, entries: int = 100) -> Chain:
    chain = Chain(JOB)
    log.append(chain.add(events.started(time=TIME)))
    extend(log, chain, entries)
    return chain


def extend(log: FeedLog, chain: Chain, entries: int) -> None:
    for _ in range(entries):
        first = chain.last + 1
        log.append(chain.add(*(progress(number) for number in range(first, first + 5))))


def entries_of(log: FeedLog) -> list[RecordedBatch]:
    return log.read_after(JOB, BEGINNING, limit=10_000)


def test_every_mark_is_what_a_fresh_fold_has_there(
    log: FeedLog, settings: Settings, marks: StoredMarks
) -> None:
    chain = fill(log, entries=50)
    project(settings)
    extend(log, chain, 50)
    project(settings)
    found = {mark.entry: mark for mark in marks.before(RunStateView.name, JOB, LAST, limit=100)}
    assert len(found) == 10

    fold = JobFold(RunStateView, JOB, None)
    for entry in entries_of(log):
        fold.apply(entry)
        mark = found.pop(entry[:2], None)
        if mark:
            assert entry.batch
            time = TIME + entry.batch.last * SECOND
            assert mark == (entry[:2], entry.batch.hash, time, 0, fold.document())
    assert not found


def test_any_moment_is_what_it_is_without_marks_and_little_is_read(
    log: FeedLog, settings: Settings, looking: Looking
) -> None:
    fill(log)
    project(settings)
    moments: list[Position | int] = [
        *(Position(entry.ms, entry.seq, 2) for entry in entries_of(log)[::9]),
        *(TIME + second * SECOND for second in range(-1, 503, 41)),
    ]

    for at in moments:
        looking.read = 0
        state = looking.state(at)
        read, looking.read = looking.read, 0
        assert state == looking.state(at, NoMarks())
        assert read <= 40
    assert looking.read >= 100


def test_a_mark_stands_behind_its_entry_and_serves_none_within() -> None:
    mark = Mark((5, 1), b"", 10, 0, None)

    assert not mark.is_before(Position(5, 1, 0))
    assert mark.is_before(Position(5, 2, 0))
    assert (mark.is_before(9), mark.is_before(10)) == (False, True)


def test_a_mark_is_not_believed_where_the_stream_is_another_one(
    log: FeedLog, settings: Settings, looking: Looking, marks: StoredMarks
) -> None:
    fill(log)
    project(settings)
    there = entries_of(log)
    newest = marks.before(RunStateView.name, JOB, LAST, limit=1)[0].entry
    kept = [entry for entry in there if entry[:2] < newest]
    client_of(log).execute_command("DEL", log.keys.job(JOB))
    other = Chain(JOB)
    other.batches = [entry.batch for entry in kept if entry.batch]
    lost = other.add(progress(1))  # another batch, under the very id
    for entry in [*kept, RecordedBatch(*newest, lost)]:
        assert entry.batch
        flat = [part for field in encode_fields(entry.batch).items() for part in field]
        name = f"{entry.ms}-{entry.seq}"
        client_of(log).execute_command("XADD", log.keys.job(JOB), name, *flat)

    state = looking.state(LAST)

    assert state is not None
    assert state.position == Position(*newest)
    assert state == looking.state(LAST, NoMarks())


def test_marks_of_another_version_are_left_out(
    log: FeedLog, settings: Settings, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log)
    project(settings)
    before = looking.state(LAST)
    monkeypatch.setattr(RunStateView, "version", RunStateView.version + 1)

    looking.read = 0
    assert looking.state(LAST) == before
    assert looking.read >= 100


def test_what_is_parked_is_counted_and_ends_no_fold_too_late(
    log: FeedLog, settings: Settings, looking: Looking
) -> None:
    chain = fill(log, entries=30)
    log.append(chain.add({**progress(1), "total": -1, "time": TIME + 10_000 * SECOND}))
    extend(log, chain, 60)
    project(settings)
    end = Position(*entries_of(log)[-1][:2], 4)
    late = TIME + 9_000 * SECOND

    for at in (end, late):
        looking.read = 0
        state = looking.state(at)
        read = looking.read
        assert state == looking.state(at, NoMarks())
        assert state is not None
        assert (state.parked, read < 40) == ((1, True) if at == end else (0, False))


def test_a_mark_in_a_trimmed_stream_goes_on_in_the_archive(
    log: FeedLog, settings: Settings, looking: Looking, archiver: Archiver
) -> None:
    fill(log)
    project_runs = looking.state(LAST)
    archiver.archive()
    there = entries_of(log)
    at = Position(*there[60][:2], 1)
    before = looking.state(at)
    archiver.trim(JOB, there[80])

    assert looking.state(at) == before
    assert looking.state(LAST) == project_runs


def test_marks_of_a_future_that_was_lost_go(
    log: FeedLog, settings: Settings, marks: StoredMarks
) -> None:
    assert START.is_before(LAST)
    fill(log, entries=20)
    project(settings)
    (one, *_) = marks.before(RunStateView.name, JOB, LAST, limit=10)

    with marks._databases.of(RunStateView.name).write("test") as connection:
        from consumers.store.marks import write

        no = jobs.number(connection, RunStateView.name, JOB)
        assert no is not None
        earlier = one._replace(entry=(one.entry[0] - 1_000, 0))
        write(connection, [(no, [earlier])])

    assert [mark.entry for mark in marks.before(RunStateView.name, JOB, LAST, limit=10)] == [
        earlier.entry
    ]
