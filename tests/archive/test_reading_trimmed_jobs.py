"""What the API shows of a job is the same after its stream was trimmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from consumers.api.app import create_app
from synapse_stream.entries.position import BEGINNING
from tests.support import events
from tests.support.archiving import keys
from tests.support.chains import Chain
from tests.support.scenes.reader import Reader
from tests.support.serving import DEADLINE_SECONDS, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings
    from tests.support.archiving import Archiver

JOB = "job-1"
EVENTS = f"/api/jobs/{JOB}/events"
ENTRIES = 60


def progress(number: int) -> dict[str, Any]:
    return events.progress(number, 1_000, "s")


@pytest.fixture
def whole(log: FeedLog, archiver: Archiver) -> list[RecordedBatch]:
    """Archive a run; return its entries."""
    chain = Chain(JOB)
    log.append(chain.add(events.started()))
    for number in range(1, ENTRIES):
        log.append(chain.add(progress(number), progress(number)))
    archiver.archive()
    return archiver.stream(JOB)


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    with served(create_app(settings)) as opened:
        yield opened


def get(port: int, path: str, **options: Any) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE_SECONDS, **options)


def positions(port: int, **asked: str) -> list[str]:
    answer = get(port, EVENTS, params=asked, headers={"Accept": "application/x-ndjson"})
    assert answer.status_code == 200
    return [orjson.loads(line)["position"] for line in answer.content.splitlines()]


def every(entries: list[RecordedBatch]) -> list[str]:
    return [
        f"{entry.ms}-{entry.seq}.{index}"
        for entry in entries
        if entry.batch
        for index in range(len(entry.batch.lines()))
    ]


@pytest.mark.parametrize("left", [0, 5])
def test_events_and_states_of_before_are_what_they_were(
    archiver: Archiver, whole: list[RecordedBatch], port: int, left: int
) -> None:
    archiver.trim(JOB, whole[-1 - left] if left else None)
    assert len(archiver.stream(JOB)) == left

    assert positions(port) == every(whole)
    assert positions(port, after=f"{whole[9].ms}-{whole[9].seq}.1") == every(whole[10:])
    for entry in (30, ENTRIES - 1):
        at = f"{whole[entry].ms}-{whole[entry].seq}.1"
        job = get(port, f"/api/jobs/{JOB}", params={"at": at}).json()
        assert job["position"] == at
        assert job["attempts"][0]["steps"][0]["current"] == entry


def test_a_live_client_resumes_where_the_stream_was_trimmed(
    log: FeedLog, archiver: Archiver, whole: list[RecordedBatch], port: int
) -> None:
    archiver.trim(JOB, whole[40])
    told = every(whole)

    for after, wanted in (("0-0", told), (told[20], told[21:]), (told[80], told[81:])):
        reader = Reader(port, JOB, after=after).connect()
        reader.until(lambda reader: reader.events and reader.events[-1].position == told[-1])
        reader.leave()

        assert reader.of("reset") == []
        assert [event.position for event in reader.events] == wanted
    assert keys(log.read_after(JOB, BEGINNING, limit=1)) == keys(whole[41:42])


def test_a_live_client_is_reset_when_no_archive_has_it(
    log: FeedLog, archiver: Archiver, whole: list[RecordedBatch], port: int
) -> None:
    chain = Chain("other")
    for number in range(5):
        log.append(chain.add(progress(number)))
    entries = archiver.stream("other")
    archiver.trim("other", entries[2])

    reader = Reader(port, "other", after=f"{entries[1].ms}-{entries[1].seq}.0").connect()
    reader.until_kinds("reset", "snapshot")
    reader.leave()
    answer = get(port, "/api/jobs/other/events")

    assert reader.events == []
    assert answer.status_code == 410
    assert "is gone" in answer.json()["detail"] or "are gone" in answer.json()["detail"]
