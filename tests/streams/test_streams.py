"""Jobs in the terms of the Durable Streams protocol; its own suite is run by `make streams`."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from consumers.api.ingest.durable import offsets
from consumers.api.ingest.durable.reading import Page
from synapse_stream import JobStream
from synapse_stream.entries.position import Position
from synapse_stream.log.event_log import open_log
from synapse_stream.remote.tokens import Role
from tests.streams.__main__ import EXAMPLE, reasons
from tests.support import doors, events
from tests.support.chains import Chain
from tests.support.doors import token
from tests.support.jobs import STARTED
from tests.support.projecting import project
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.doors import Door

PAGE = (Path(__file__).parents[2] / "docs" / "streams.md").read_text()
WRITERS, REQUESTS = 4, 15


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("streams")
    with TestServer(home / "server") as server, doors.opened(server, home) as opened:
        yield opened


@pytest.fixture(scope="module")
def asked(door: Door) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token(role=Role.DEVELOPER, append=True)}"}
    with httpx.Client(base_url=f"{door.url}/v1/stream/", headers=headers, timeout=30) as client:
        yield client


def made(asked: httpx.Client, name: str, kind: str = "application/json") -> str:
    assert asked.put(name, headers={"Content-Type": kind}).status_code == 201
    return name


def numbered(writer: str, epoch: int, seq: int) -> dict[str, str]:
    return {"Producer-Id": writer, "Producer-Epoch": str(epoch), "Producer-Seq": str(seq)}


def test_the_example_with_curl_works_as_it_stands_in_the_docs(door: Door, tmp_path: Path) -> None:
    (script,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    given = token(role=Role.DEVELOPER, append=True)
    done = subprocess.run(
        ["bash", "-euc", script],
        env={**os.environ, "URL": door.url, "TOKEN": given},
        capture_output=True,
        check=True,
        text=True,
    )
    project(door.settings)
    job = JobStream("job-42", door.settings)
    state, loss = job.state(), job.metric("loss")

    assert re.findall(r'"type":"(\w+)"', done.stdout) == ["metrics", "message"]
    assert '"seq":1,' in done.stdout
    assert state is not None
    assert (state.status, state.latest.completeness.status) == ("completed", "complete")
    assert list(loss.values) == [0.5]


def test_the_docs_show_the_example_that_runs_and_all_that_is_not_here() -> None:
    assert f"```typescript\n{EXAMPLE.read_text()}```" in PAGE
    assert re.findall(r"^\| ([A-Z][^|]+) \|", PAGE, re.MULTILINE) == list(reasons())


def test_a_run_that_failed_says_so_and_no_value_ends_a_stream_that_stays_open(
    door: Door, asked: httpx.Client
) -> None:
    job, ended = made(asked, "failed"), {"type": "end", "status": "failed", "error": "no room"}
    refused = asked.post(job, json=ended)
    closed = asked.post(job, json=[1, ended], headers={"Stream-Closed": "true"})
    project(door.settings)

    assert refused.status_code == 400
    assert "Stream-Closed" in refused.json()["detail"]
    assert closed.status_code == 204
    assert asked.get(job).json() == [1]
    state = JobStream(job, door.settings).state()
    assert state is not None
    assert (state.status, state.latest.error) == ("failed", "no room")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "progress", "current": 3, "total": 2},
        {"type": "metrics", "values": {"loss": "low"}},
        {"type": "message"},
        {"type": "log", "event": "x", "data": 1},
        "x" * 300_000,
    ],
)
def test_what_cannot_be_recorded_is_refused_and_costs_the_stream_nothing(
    asked: httpx.Client, value: Any
) -> None:
    job = "strict"
    asked.put(job, headers={"Content-Type": "application/json"})

    assert asked.post(job, json=value).status_code == 400
    assert asked.get(job).json() == []


def test_what_a_plugin_reports_is_a_stream_to_read_and_only_that(
    door: Door, asked: httpx.Client
) -> None:
    chain = Chain("plugins", "p1")
    with closing(open_log(door.settings)) as log:
        log.append(chain.add(STARTED, events.message("one")))
        first = asked.get("plugins")
        log.append(chain.add(events.event("dev_event", message="secret")))
    next_offset = {"offset": first.headers["Stream-Next-Offset"]}
    viewer = {"Authorization": f"Bearer {token(role=Role.VIEWER)}"}
    refused = asked.post("plugins", json=1)

    assert [event["type"] for event in first.json()] == ["run_started", "message"]
    assert [event["type"] for event in asked.get("plugins", params=next_offset).json()] == [
        "dev_event"
    ]
    assert len(asked.get("plugins", headers=viewer).json()) == 2
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert asked.put("plugins").status_code == 409


def test_writers_at_once_that_repeat_all_they_send_are_each_taken_once_and_in_order(
    door: Door, asked: httpx.Client
) -> None:
    job = made(asked, "crowded")

    def write(writer: str) -> list[int]:
        return [
            asked.post(job, json=[[writer, seq]], headers=numbered(writer, 0, seq)).status_code
            for seq in range(REQUESTS)
            for _ in range(2)
        ]

    names = [f"w{number}" for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        answered = list(pool.map(write, names))
    held = asked.get(job).json()

    assert answered == [[200, 204] * REQUESTS] * WRITERS
    assert len(held) == WRITERS * REQUESTS
    for name in names:
        assert [seq for writer, seq in held if writer == name] == list(range(REQUESTS))


def test_a_stream_and_the_sdks_wire_of_one_job_do_not_mix_what_is_known(
    door: Door, asked: httpx.Client
) -> None:
    job = made(asked, "both")
    entry = {"event": "e", "data": {}, "job": job}
    told = asked.post(f"{door.url}/ingest/synapse/logs/", json=[entry])

    assert told.status_code == 200
    assert asked.post(job, json=1, headers=numbered("w", 0, 0)).status_code == 200
    assert asked.get(job).json()[-1] == 1


def test_a_compressed_nothing_has_no_body(asked: httpx.Client) -> None:
    job = made(asked, "closed")
    asked.post(job, headers={"Stream-Closed": "true"})
    headers = {"Accept-Encoding": "gzip"}
    answer = asked.get(job, params={"offset": "now", "live": "long-poll"}, headers=headers)

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-encoding" not in answer.headers


def test_who_waits_behind_an_entry_is_not_woken_by_the_events_of_that_entry() -> None:
    page = Page("application/json", [], Position(1, 2), is_at_end=True, is_closed=False)

    assert Position(1, 2, 65_536) < page.end < Position(1, 3)


@pytest.mark.parametrize(("given", "expected"), [(None, 0), ("0", 0), ("bad", 0), (2**40, 1)])
def test_a_cursor_rises_with_the_time_and_with_each_that_is_shown(
    given: Any, expected: int
) -> None:
    now = int(offsets.cursor(None))
    found = int(offsets.cursor(None if given is None else str(given)))

    assert found in ({given + 1} if expected else {now, now + 1})
