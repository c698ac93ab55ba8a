"""Appending over HTTP: what a shipper is told, and what is refused with a reason."""

from __future__ import annotations

from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zstandard

from synapse_stream.entries.answers import Ack, Outcome
from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.limits import LARGEST_DATA_BYTES
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.remote.connection import Refused
from synapse_stream.remote.log import RemoteLog
from tests.support import doors
from tests.support.chains import Chain
from tests.support.doors import OPERATOR, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.log.event_log import EventLog
    from tests.support.doors import Door
    from tests.support.servers import TestServer


@pytest.fixture(scope="module")
def door(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("door")
    with doors.opened(own_server, home, namespace="append") as opened:
        yield opened


@pytest.fixture(scope="module")
def direct(door: Door) -> Iterator[EventLog]:
    """Reach the server itself."""
    with closing(open_log(door.settings)) as log:
        yield log


@pytest.fixture(scope="module")
def asked(door: Door) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.url, timeout=30) as client:
        yield client


def remote(door: Door, given: str, **settings: Any) -> RemoteLog:
    return RemoteLog(door.plugin(door.settings.data_dir, given, **settings))


def test_a_log_behind_the_api_answers_as_the_server_does(door: Door, direct: EventLog) -> None:
    chain = Chain("same", "p1")
    batches = [chain.add({}, {}), chain.add({"type": "log", "event": "x" * 5_000}), chain.add()]
    with closing(remote(door, token("same"))) as log:
        assert log.check() == direct.check()
        told = [log.append(batch) for batch in (batches[2], *batches[:2], batches[0])]
        heads = log.heads([("same", "p1"), ("same", "nobody")])
        written = list(log.written("same", "p1"))

    assert [(ack.outcome, ack.last) for ack in told] == [
        (Outcome.GAP, -1),
        (Outcome.APPENDED, 1),
        (Outcome.APPENDED, 2),
        (Outcome.KNOWN, 2),
    ]
    assert told[0].hash == GENESIS
    assert told[3].hash == batches[1].hash
    assert heads == [
        Ack(Outcome.KNOWN, 2, batches[1].hash, None),
        Ack(Outcome.KNOWN, -1, GENESIS, None),
    ]
    assert [entry.batch for entry in direct.read_after("same", BEGINNING)] == batches[:2]
    assert written == list(direct.written("same", "p1"))
    assert [(batch.first, batch.last, batch.is_last_word) for batch in written] == [
        (0, 1, False),
        (2, 2, False),
    ]


def test_many_batches_of_a_producer_are_named_page_by_page(door: Door, direct: EventLog) -> None:
    chain = Chain("long", "p1")
    for _ in range(2_050):
        direct.append(chain.add())
    direct.append(chain.add({"type": "end", "status": "completed", "count": 2051, "rank": 0}))

    with closing(remote(door, token("long"))) as log:
        written = list(log.written("long", "p1"))

    assert [batch.last for batch in written] == list(range(2_051))
    assert [batch.is_last_word for batch in written] == [False] * 2_050 + [True]


@pytest.mark.parametrize("size", [70_000, 300_000, 1_500_000])
def test_a_large_batch_that_hardly_packs_is_taken_and_the_connection_serves_on(
    door: Door, direct: EventLog, size: int
) -> None:
    chain = Chain(f"large-{size}")
    texts = (Random(number).randbytes(size // 2).hex() for number in range(3))
    batches = [chain.add({"type": "log", "event": text}) for text in texts]
    with closing(remote(door, token(chain.job_id))) as log:
        told = [log.append(batch).last for batch in batches]

    assert told == [0, 1, 2]
    assert [entry.batch for entry in direct.read_after(chain.job_id, BEGINNING)] == batches


def parameters(chain: Chain, **changes: Any) -> dict[str, Any]:
    batch = chain.add()
    found = {"producer": "p1", "first": 0, "last": 0, "hash": batch.hash.hex()}
    found["salts"] = batch.salts.hex()
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


BOMB = zstandard.compress(b"x" * (LARGEST_DATA_BYTES + 1))
REFUSED: list[tuple[str, dict[str, Any], dict[str, str], bytes, int, str]] = [
    ("more lines than numbers", {}, {}, b"{}\n{}\n", 422, "2 lines, but only 1 numbers"),
    ("numbers of no batch", {"first": 3}, {}, b"{}\n", 422, "those of no batch"),
    ("a frame without its size", {}, {"Content-Encoding": "zstd"}, b"no frame", 422, "no batch"),
    ("a bomb", {}, {"Content-Encoding": "zstd"}, BOMB, 422, "those of no batch"),
    ("a torn frame", {}, {"Content-Encoding": "zstd"},
     zstandard.compress(b"{}\n" * 99)[:-4], 422, "no batch"),
    ("an unknown coding", {}, {"Content-Encoding": "br"}, b"{}\n", 415, "br cannot be read"),
    ("too large a body", {}, {}, b"x" * (LARGEST_DATA_BYTES + 1), 413, "larger than"),
    ("no hash", {"hash": None}, {}, b"{}\n", 422, "hash"),
    ("no salts", {"salts": None}, {}, b"{}\n", 422, "salts"),
    ("odd salts", {"salts": "00"}, {}, b"{}\n", 422, "no batch"),
    ("no number", {"first": "x"}, {}, b"{}\n", 422, "first"),
    ("a name that is none", {"producer": "a b"}, {}, b"{}\n", 422, "producer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "headers", "body", "status", "said"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_what_no_shipper_sends_is_refused_by_a_problem_that_says_why(
    asked: httpx.Client,
    direct: EventLog,
    changes: dict[str, Any],
    headers: dict[str, str],
    body: bytes,
    status: int,
    said: str,
) -> None:
    given = {"Authorization": f"Bearer {token('odd')}", **headers}
    answer = asked.post(
        "/api/jobs/odd/append",
        params=parameters(Chain("odd"), **changes),
        headers=given,
        content=body,
    )

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert direct.read_after("odd", BEGINNING) == []


@pytest.mark.parametrize("job", ["a b", ".", "{x}", "x" * 201])
def test_a_job_id_that_no_run_may_have_is_refused(asked: httpx.Client, job: str) -> None:
    with httpx.Client(base_url=asked.base_url, timeout=30) as client:
        answer = client.post(
            f"/api/jobs/{job.replace('.', '%2E')}/append",
            params=parameters(Chain("odd")),
            headers={"Authorization": f"Bearer {OPERATOR}"},
            content=b"{}\n",
        )

    assert answer.status_code == 422
    assert "white space" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_sites_page_appends_nothing(
    asked: httpx.Client, direct: EventLog, headers: dict[str, str]
) -> None:
    given = {"Authorization": f"Bearer {token('odd')}", **headers}
    answer = asked.post(
        "/api/jobs/odd/append", params=parameters(Chain("odd")), headers=given, content=b"{}\n"
    )

    assert answer.status_code == 403
    assert direct.read_after("odd", BEGINNING) == []


def append_all(log: RemoteLog, chain: Chain, lines: dict[str, Any]) -> None:
    for _ in range(200):
        log.append(chain.add(lines))


def test_who_sends_too_much_is_asked_to_wait_and_others_are_not(door: Door) -> None:
    lines = {"type": "log", "event": "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) * 2}
    slow = remote(door, token("slow", bytes_per_second=1))
    few = remote(door, token("few-*", open_jobs=2))
    other = remote(door, token("other"))
    chain, others = Chain("slow"), Chain("other")
    with closing(slow), closing(few), closing(other):
        with pytest.raises(Refused, match="1 bytes a second") as bytes_refused:
            append_all(slow, chain, lines)
        assert [few.append(Chain(f"few-{n % 2}").add()).last for n in range(6)] == [0] * 6
        with pytest.raises(Refused, match="2 jobs a minute") as jobs_refused:
            few.append(Chain("few-2").add())

        for refused in (bytes_refused.value, jobs_refused.value):
            assert refused.is_refusal
            assert refused.retry_after >= 1
        assert other.append(others.add(lines)).outcome is Outcome.APPENDED


def test_a_server_that_is_away_is_said_and_may_come_back(
    own_server: TestServer, door: Door
) -> None:
    chain = Chain("away")
    patient, hasty = remote(door, token("away")), remote(door, token("away"), connect_seconds=0.2)
    with closing(patient), closing(hasty):
        patient.append(chain.add())
        own_server.freeze()
        try:
            with pytest.raises(LogUnavailable, match="did not answer in time") as failed:
                hasty.append(chain.add())
        finally:
            own_server.thaw()
        again = patient.append(chain.batches[1])

    assert not failed.value.is_refusal
    assert again.last == 1
