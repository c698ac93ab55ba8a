"""One process a host, behind which others report: by socket, by loopback, and after death."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from synapse_stream import JobStream, open_run
from synapse_stream.agent.agent import Agent
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.events.types import Message
from synapse_stream.log.event_log import open_log
from synapse_stream.remote.log import RemoteLog
from synapse_stream.settings import Settings
from tests.support import doors, events
from tests.support.chains import Chain
from tests.support.doors import token
from tests.support.jobs import STARTED
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.doors import Door

PRODUCERS = 300
KILLED = """
import os, signal
from synapse_stream import open_run
run = open_run("killed")
run.log_message("last words")
run.set_metrics({"loss": 0.5}, step="train")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("behind")
    with TestServer(home / "server") as server, doors.opened(server, home) as opened:
        yield opened


@pytest.fixture
def host() -> Iterator[Path]:
    """Yield a directory of the host whose path is short enough for a socket's."""
    with TemporaryDirectory(prefix="host-") as folder:
        yield Path(folder)


@contextmanager
def agent(door: Door, host: Path, given: str | None = None, **more: Any) -> Iterator[Agent]:
    """Run an agent that sends to the door by a token of its own."""
    settings = door.plugin(host, given or token(), spool_dir=host / "spool", **more)
    with Agent(settings, lambda _: None, path=host / "agent.sock", port=0) as running:
        yield running


def plugin(address: str, host: Path, **more: Any) -> Settings:
    """Return the settings of a process that has no token, and a spool on the host."""
    given = {"data_dir": host / "plugin", "spool_dir": host / "spool", "spool_memory_bytes": 0}
    return Settings(url=address, **{**given, "exit_wait_seconds": 20.0, **more})


def texts(door: Door, job_id: str) -> list[str]:
    found = JobStream(job_id, door.settings).read()
    return [one.event.content for one in found if isinstance(one.event, Message)]


@pytest.mark.parametrize("way", [0, 1], ids=["socket", "loopback"])
def test_a_run_without_a_token_reports_through_the_agent_which_has_one(
    door: Door, host: Path, way: int
) -> None:
    job = f"through-{way}"
    with agent(door, host) as running:
        with open_run(job, settings=plugin(running.addresses[way], host)) as run:
            for number in range(100):
                run.log_message(str(number))

        assert texts(door, job) == list(map(str, range(100)))
    assert not (host / "agent.sock").exists()


def test_a_process_that_is_killed_at_once_is_adopted_by_the_agent(door: Door, host: Path) -> None:
    with agent(door, host) as running:
        environ = {
            "SYNAPSE_STREAM_URL": running.addresses[0],
            "SYNAPSE_STREAM_DATA_DIR": str(host / "plugin"),
            "SYNAPSE_STREAM_SPOOL_DIR": str(host / "spool"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        subprocess.run([sys.executable, "-c", KILLED], env=environ, check=False)
        kinds = wait_until(lambda: _ended(door, "killed"))

    assert kinds == ["run_started", "message", "metrics", "producer_lost"]


def _ended(door: Door, job_id: str) -> list[str] | None:
    kinds = [one.event.type for one in JobStream(job_id, door.settings).read()]
    return kinds if kinds[-1:] == ["producer_lost"] else None


def test_many_producers_go_in_few_requests_over_few_connections(door: Door, host: Path) -> None:
    chains = [Chain(f"many-{number}", "p") for number in range(PRODUCERS)]
    with (
        agent(door, host) as running,
        closing(RemoteLog(plugin(running.addresses[0], host))) as log,
        ThreadPoolExecutor(8) as pool,
    ):
        first = list(pool.map(lambda chain: log.append(chain.add(STARTED)), chains))
        again = log.append_all([chain.batches[0] for chain in chains])
        more = log.append_all([chain.add(events.message("two")) for chain in chains])
        heads = log.heads([(chain.job_id, "p") for chain in chains])

    assert {ack.outcome for ack in first} == {"appended"}
    assert [getattr(ack, "outcome", ack) for ack in again] == ["known"] * PRODUCERS
    assert [getattr(ack, "last", ack) for ack in more] == [1] * PRODUCERS
    assert [(ack.last, ack.hash) for ack in heads] == [
        (1, chain.batches[1].hash) for chain in chains
    ]


def test_what_the_agents_token_may_not_is_refused_with_the_reason_and_costs_others_nothing(
    door: Door, host: Path
) -> None:
    with (
        agent(door, host, token("mine-*")) as running,
        closing(RemoteLog(plugin(running.addresses[0], host))) as log,
    ):
        mine, other = Chain("mine-1", "p"), Chain("yours", "p")
        answers = log.append_all([mine.add(STARTED), other.add(STARTED)])
        with pytest.raises(LogUnavailable, match="is for 'mine-") as refused:
            log.append(other.batches[0])

    assert getattr(answers[0], "outcome", None) == "appended"
    assert "is for 'mine-" in str(answers[1])
    assert refused.value.is_refusal


def test_what_other_programs_send_goes_on_to_the_api_with_the_agents_token(
    door: Door, host: Path
) -> None:
    with agent(door, host) as running, httpx.Client(base_url=running.addresses[1]) as client:
        entry = {"event": "e", "data": {}, "job": "of-the-sdk"}
        told = client.post("/ingest/synapse/logs/", json=[entry])
        made = client.put("/v1/stream/of-any", headers={"Content-Type": "text/plain"})
        shown = client.get("/api/jobs")

    with closing(open_log(door.settings)) as log:
        assert log.knows("of-the-sdk")
    assert (told.status_code, made.status_code, shown.status_code) == (200, 201, 404)
    assert made.headers["Stream-Next-Offset"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://example.com"}, b"", 403),
        ({"Host": "evil.example"}, b"", 403),
        ({}, b"no batch", 422),
        ({}, b'{"job":"j"}\n', 422),
        ({}, b"x" * (3 * 1024 * 1024), 413),
    ],
)
def test_what_is_no_report_of_this_host_is_refused(
    door: Door, host: Path, headers: dict[str, str], body: bytes, status: int
) -> None:
    with agent(door, host) as running:
        answer = httpx.post(f"{running.addresses[1]}/api/append", headers=headers, content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_while_the_api_is_away_producers_hear_so_and_go_on_afterwards(
    door: Door, host: Path, tmp_path: Path
) -> None:
    gone = door.plugin(host, token(), url="http://127.0.0.1:9", connect_seconds=0.3)
    with (
        Agent(gone, lambda _: None, path=host / "agent.sock") as running,
        closing(RemoteLog(plugin(running.addresses[0], host))) as log,
        pytest.raises(LogUnavailable, match="cannot be reached") as away,
    ):
        log.append(Chain("away", "p").add(STARTED))

    assert not away.value.is_refusal


def test_a_socket_that_a_dead_agent_left_is_taken_and_a_living_ones_is_not(
    door: Door, host: Path
) -> None:
    with (
        agent(door, host) as running,
        closing(RemoteLog(plugin(running.addresses[0], host))) as log,
    ):
        with pytest.raises(ConfigError, match="in use"), agent(door, host):
            pass
        assert log.check()
    for _ in range(2):
        left = Agent(door.plugin(host, token()), lambda _: None, path=host / "dead.sock")
        for one in left._sockets:
            one.close()

    assert (host / "dead.sock").exists()
