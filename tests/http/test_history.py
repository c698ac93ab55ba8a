from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
import pytest

from consumers.folding.fold import JobFold
from consumers.folding.marks import START, Mark
from consumers.store.marks import StoredMarks
from consumers.views.history import _MARKS_OF_A_JOB, History, _Kept, fold_until
from consumers.views.opening import open_databases
from consumers.views.run_state import reading
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.view import VIEW as RUN_STATE
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.entries.position import Position
from synapse_stream.errors import ConfigError
from synapse_stream.log.event_log import open_log
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.history import parse_moment
from synapse_stream.ports.views import Beside
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.jobs import EPOCHS, STARTED, TIME, progress
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.views import RunState

SECOND = 1_000_000


@pytest.mark.parametrize("at", ["0-0", "0", "1970-01-01T00:00:01Z", "1-0.3"])
def test_before_the_first_event_is_told_from_a_job_that_is_not_known(
    api: httpx.Client, at: str
) -> None:
    answer = api.get("/api/jobs/trained", params={"at": at})
    unknown = api.get("/api/jobs/nobody", params={"at": at})

    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.json()["detail"] == f"job 'trained' had no events at {at}"
    assert "is not known" in unknown.json()["detail"]


def timed(second: float, event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "time": TIME + int(second * SECOND)}


def none_installed() -> NoReturn:
    msg = "no archive is installed"
    raise ConfigError(msg)


def run(batches: int, lines: int) -> list[RecordedBatch]:
    """Return a run that reports progress once a second."""
    chain = Chain("job")
    total = batches * lines
    entries = [RecordedBatch(1, 0, chain.add(timed(0, STARTED)))]
    for number in range(batches):
        reports = [
            timed(done, progress(done, total))
            for done in range(number * lines + 1, (number + 1) * lines + 1)
        ]
        entries.append(RecordedBatch(2 + number, 0, chain.add(*reports)))
    end = {"type": "end", "status": "completed", "count": total + 2, "rank": 0}
    return [*entries, RecordedBatch(2 + batches, 0, chain.add(timed(total + 1, end)))]


def done(state: RunState | None) -> float | None:
    """Return how many units the only step has done."""
    return state.latest.steps[0].current if state and state.latest.steps else None


def folded(entries: list[RecordedBatch]) -> RunState | None:
    fold = JobFold(RunStateView, "job", None)
    for entry in entries:
        fold.apply(entry)
    return reading.run_state("job", fold.document())


def look(entries: list[RecordedBatch], at: Position | int, start: Mark = START) -> RunState | None:
    found = fold_until(RUN_STATE, "job", start, entries, at)
    return reading.run_state("job", found.document, Beside(found.parked))


def test_at_the_end_of_every_entry_it_is_what_a_projector_had_there() -> None:
    entries = run(5, 4)
    for count, entry in enumerate(entries, 1):
        assert entry.batch is not None
        last = Position(entry.ms, entry.seq, len(entry.batch.lines()) - 1)

        assert look(entries, last) == folded(entries[:count])


def test_within_an_entry_it_holds_the_events_up_to_and_with_the_position() -> None:
    entries = run(3, 4)

    found = [done(look(entries, Position(3, 0, i))) for i in range(6)]

    assert found == [5, 6, 7, 8, 8, 8]
    state = look(entries, Position(3, 0, 1))
    assert state is not None
    assert state.position == Position(3, 0, 1)
    assert state.latest.completeness.status == "open"


def test_a_time_ends_before_the_first_event_that_was_reported_later() -> None:
    entries = run(3, 4)

    def at(second: float) -> RunState | None:
        return look(entries, TIME + int(second * SECOND))

    assert at(-1) is None
    assert [done(at(second)) for second in (0, 1, 1.5, 4, 6.999, 7, 12)] == [
        None,
        1,
        1,
        4,
        6,
        7,
        12,
    ]
    assert [str(state.status) for second in (12, 13) if (state := at(second))] == [
        "running",
        "completed",
    ]


def test_before_the_first_event_there_is_no_state() -> None:
    assert look(run(1, 1), Position(0, 5)) is None


def test_going_on_from_any_mark_gives_what_folding_all_gives() -> None:
    entries = run(20, 5)
    marks = fold_until(RUN_STATE, "job", START, entries, Position(2**60, 0), between=10).marks
    places: list[Position | int] = [
        Position(entry.ms, 0, index) for entry in entries for index in range(5)
    ]
    times = [TIME + second * SECOND for second in range(0, 103, 3)]

    assert len(marks) >= 8
    for at in (*places, *times):
        whole = look(entries, at)
        for mark in marks:
            if mark.is_before(at):
                rest = [entry for entry in entries if (entry.ms, entry.seq) > mark.entry]
                assert look(rest, at, mark) == whole


def test_what_cannot_be_read_has_no_time_and_hides_nothing() -> None:
    chain = Chain("job")
    bad = b'{"time":9e99}\n[]\nnull\n{"seq":1,"time":"noon","type":"heartbeat"}\n'
    entries = [
        RecordedBatch(1, 0, chain.add(timed(0, STARTED))),
        RecordedBatch(2, 0, None, "no batch", {b"p": b"x"}),
        RecordedBatch(3, 0, chain.add_data(bad, 4)),
        RecordedBatch(4, 0, chain.add({**progress(0, 9), "time": 2**62})),
        RecordedBatch(5, 0, chain.add(timed(1, progress(1, 9)))),
    ]

    state = look(entries, TIME + 1 * SECOND)

    assert done(state) == 1
    assert state is not None
    assert state.parked == 6


def test_a_loss_that_stands_for_many_numbers_is_cut_nowhere() -> None:
    chain = Chain("job")
    loss = {"seq": 1, "time": TIME, "type": "loss", "v": 1, "first": 1, "last": 9, "reason": "full"}
    entries = [
        RecordedBatch(1, 0, chain.add(timed(0, STARTED))),
        RecordedBatch(
            2, 0, chain.add_data(orjson.dumps({**loss, "counts": {"log": 9}}) + b"\n", 9)
        ),
        RecordedBatch(3, 0, chain.add(timed(1, progress(1, 9)))),
    ]

    state = look(entries, Position(2, 0, 0))

    assert state is not None
    assert state.latest.completeness.status == "incomplete"
    assert state == folded(entries[:2])


class Counting(FeedLog):
    """A log that counts the entries it reads."""

    read = 0

    def read_after(self, *arguments: Any, **options: Any) -> list[RecordedBatch]:
        found = super().read_after(*arguments, **options)
        self.read += len(found)
        return found


@pytest.fixture
def counting(settings: Settings) -> Iterator[Counting]:
    log = Counting.open(settings)
    yield log
    log.close()


def write_run(log: EventLog, entries: int) -> list[Position]:
    """Append a long run; return where each entry ends."""
    chain = Chain("job")
    lines = 100
    log.append(chain.add(timed(0, STARTED)))
    ends = []
    for number in range(entries):
        reports = [progress(number * lines + line, entries * lines) for line in range(lines)]
        entry = log.append(chain.add(*(timed(number, report) for report in reports))).entry
        assert entry is not None
        ends.append(Position(*entry, lines - 1))
    return ends


def test_a_slider_that_moves_reads_little_each_time(
    log: EventLog, counting: Counting, settings: Settings
) -> None:
    ends = write_run(log, 60)
    history = History(counting, none_installed, StoredMarks(open_databases(settings)))
    assert done(history.state("job", ends[-1])) == 5_999
    first = counting.read

    for end, at in ((59, 5_999), (30, 3_099), (31, 3_199), (3, 399)):
        before = counting.read
        assert done(history.state("job", ends[end])) == at
        assert counting.read - before <= 2 * 11
    before = counting.read
    assert done(history.state("job", TIME + 45 * SECOND)) == 4_599

    assert 61 <= first <= 65  # every page begins with the last entry of the one before
    assert counting.read - before <= 50


def test_the_marks_of_a_long_run_are_thinned() -> None:
    kept = _Kept()
    kept.add(Mark((n, 0), b"", n, 0, b"x" * 10) for n in range(4 * _MARKS_OF_A_JOB))

    assert len(kept.marks) == _MARKS_OF_A_JOB
    assert kept.between == 4_000
    assert kept.size == 10 * _MARKS_OF_A_JOB


def test_after_a_restart_of_the_server_nothing_old_is_believed(tmp_path: Path) -> None:
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path)
        log = open_log(settings)
        ends = write_run(log, 12)
        history = History(open_log(settings), none_installed, StoredMarks(open_databases(settings)))
        assert done(history.state("job", ends[-1])) == 1_199
        server.restart()
        server.command("DEL", log.keys.job("job"), log.keys.producers("job"))
        log.close()

        assert history.state("job", ends[-1]) is None
        history.close()


def test_a_job_stream_shows_the_state_at_a_position_or_a_time(
    log: EventLog, settings: Settings
) -> None:
    chain = Chain("job-1")
    log.append(chain.add(timed(0, STARTED), timed(1, progress(1, 4)), timed(9, progress(3, 4))))
    job = JobStream("job-1", settings)
    places = [found.position for found in job.read()]
    moment = datetime.fromtimestamp(TIME / 1e6, UTC) + timedelta(seconds=5)

    assert done(job.state(at=places[1])) == 1
    assert done(job.state(at=moment)) == 1
    assert done(job.state(at=TIME + 9 * SECOND)) == 3
    assert job.state(at=Position(1, 0)) is None
    with pytest.raises(ValueError, match="time zone"):
        job.state(at=moment.replace(tzinfo=None))


def test_a_moment_is_read_in_every_form() -> None:
    at = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()) * SECOND

    assert parse_moment("1763880000000-0.3") == Position(1763880000000, 0, 3)
    assert parse_moment(str(at)) == at
    for text in ("2026-11-25T12:00:00Z", "2026-11-25T21:00:00+09:00", "2026-11-25T12:00:00.000Z"):
        assert parse_moment(text) == at
    for text in ("", "x", "2026-11-25", "2026-11-25T12:00:00", "-1", "1-", "9" * 20):
        with pytest.raises(ValueError, match=r"zone|position|isoformat|year"):
            parse_moment(text)


def test_the_api_shows_a_run_as_it_was(api: httpx.Client) -> None:
    events = "/api/jobs/trained/events"
    progresses = api.get(events, params={"type": "progress", "limit": 1000}).json()["events"]
    tenth = progresses[9]

    def at(moment: Any) -> dict[str, Any]:
        found: dict[str, Any] = api.get("/api/jobs/trained", params={"at": moment}).json()
        return found

    for moment in (tenth["position"], tenth["event"]["time"]):
        job = at(moment)
        assert (job["status"], job["health"], job["position"]) == (
            "running",
            "alive",
            tenth["position"],
        )
        assert job["attempts"][0]["steps"][0]["current"] == 10
    iso = datetime.fromtimestamp(tenth["event"]["time"] / 1e6, UTC).isoformat()
    assert at(iso)["position"] == tenth["position"]
    now = {k: v for k, v in api.get("/api/jobs/trained").json().items() if k not in FRESHNESS}
    end = at("2100-01-01T00:00:00Z")
    assert {k: v for k, v in end.items() if k not in FRESHNESS} == now
    assert api.get("/api/jobs/trained", params={"at": "1-0"}).status_code == 404
    assert end["attempts"][0]["steps"][0]["current"] == EPOCHS


FRESHNESS = {"age_seconds", "now_ms"}
