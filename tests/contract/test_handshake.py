"""The handshake: founding a deployment, and refusing what does not fit, before any work begins."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import fakeredis
import pytest

from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log import met
from synapse_stream.log.event_log import EventLog, open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from pathlib import Path


class OldServer:
    """A client of a server that is too old to run here."""

    def execute_command(self, *_: Any, **__: Any) -> Any:
        return {"redis_version": "6.2.14"}

    def close(self) -> None:
        pass


def test_the_first_check_founds_the_deployment_and_later_ones_agree(
    server: TestServer, log: EventLog
) -> None:
    deployment = log.check()
    assert log.check() == deployment

    with server.client() as client:
        assert client.hgetall(log.keys.config) == {
            b"format": b"1",
            b"partitions": b"16",
            b"id": str(deployment).encode(),
        }


def test_a_deployment_that_was_founded_without_an_id_gets_one(
    server: TestServer, log: EventLog
) -> None:
    with server.client() as client:
        client.hset(log.keys.config, mapping={"format": 1, "partitions": 16})

    assert log.check(found=False) is None
    deployment = log.check()
    assert deployment is not None
    assert log.check(found=False) == deployment


def test_an_emptied_server_gets_its_id_again(server: TestServer, settings: Settings) -> None:
    """From who met it before, also by another spelling of its address, and also from a file."""
    deployments = []
    for url in (f"redis://127.0.0.1:{server.port}", f"redis://localhost:{server.port}/0"):
        log = open_log(settings.model_copy(update={"redis_url": url}))
        deployments.append(log.check())
        log.close()
        server.command("FLUSHALL")
    settings.spool_root.mkdir(parents=True)
    met.keep(settings.spool_root)
    program = (
        "from synapse_stream.log.event_log import open_log\n"
        "from synapse_stream.settings import Settings\n"
        "print(open_log(Settings.load()).check())"
    )
    named = {
        "SYNAPSE_STREAM_REDIS_URL": str(settings.redis_url),
        "SYNAPSE_STREAM_NAMESPACE": settings.namespace,
        "SYNAPSE_STREAM_DATA_DIR": str(settings.data_dir),
    }
    later = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={**os.environ, **named},
    )
    deployments.append(later.stdout.decode().strip())

    assert len(set(deployments)) == 1


def test_deployments_have_different_ids(tmp_path: Path) -> None:
    with fakeredis.FakeRedis() as client:
        ids = {EventLog(client, Keys(name, 4), f"fake {name}").check() for name in ("a", "b")}

    assert len(ids) == 2


def test_a_reader_founds_nothing_and_refuses_the_same(
    server: TestServer, log: EventLog, settings: Settings
) -> None:
    log.check(found=False)
    with server.client() as client:
        assert client.exists(log.keys.config) == 0
    log.check()
    other = open_log(settings.model_copy(update={"partitions": 8}))

    with pytest.raises(ConfigError, match="has 16 partitions"):
        other.check(found=False)
    log.check(found=False)
    other.close()


def test_another_partition_count_is_refused_with_both_numbers(
    log: EventLog, settings: Settings
) -> None:
    log.check()
    other = open_log(settings.model_copy(update={"partitions": 8}))

    with pytest.raises(ConfigError) as caught:
        other.check()
    other.close()
    assert "has 16 partitions, this program is set to 8" in str(caught.value)
    assert "SYNAPSE_STREAM_PARTITIONS=16" in str(caught.value)


def test_a_newer_format_is_refused(server: TestServer, log: EventLog) -> None:
    with server.client() as client:
        client.hset(log.keys.config, mapping={"format": 2, "partitions": 16})

    with pytest.raises(ConfigError, match=r"has format 2, .* install a newer synapse-stream"):
        log.check()


@pytest.mark.parametrize(
    "foreign", ["a string", {"theme": "dark"}, {"format": "x", "partitions": 1}]
)
def test_a_namespace_of_another_program_is_refused_and_left_alone(
    server: TestServer, log: EventLog, foreign: str | dict[str, str]
) -> None:
    with server.client() as client:
        if isinstance(foreign, str):
            client.set(log.keys.config, foreign)
        else:
            client.hset(log.keys.config, mapping=foreign)
        before = client.dump(log.keys.config)

        with pytest.raises(ConfigError, match=r":config' on .* is another program's; set SYNAPSE_"):
            log.check()

        assert client.dump(log.keys.config) == before


def test_many_programs_that_start_together_found_one_deployment(settings: Settings) -> None:
    counts = [8, 16] * 8
    refused: list[int] = []
    start = threading.Barrier(len(counts))

    def check(partitions: int) -> None:
        log = open_log(settings.model_copy(update={"partitions": partitions}))
        start.wait()
        try:
            log.check()
        except ConfigError:
            refused.append(partitions)
        log.close()

    threads = [threading.Thread(target=check, args=(count,)) for count in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refused in ([8] * 8, [16] * 8)


def test_a_server_older_than_redis_7_is_refused_by_its_version() -> None:
    log = EventLog(OldServer(), Keys("synapse", 16), "redis://h")

    with pytest.raises(ConfigError, match=r"redis://h is Redis 6\.2\.14; Redis 7\.0 or any Valkey"):
        log.check()


def test_a_server_that_is_away_is_unavailable_and_not_misconfigured(tmp_path: Path) -> None:
    log = open_log(Settings(redis_url="redis://127.0.0.1:1", data_dir=tmp_path))

    with pytest.raises(LogUnavailable, match=r"redis://127\.0\.0\.1:1 cannot be reached"):
        log.check()


def test_a_user_with_the_documented_rights_is_enough(tmp_path: Path, binary: str) -> None:
    with TestServer(tmp_path / "server", binary=binary) as server:
        rights = "~synapse:* +@connection +eval +evalsha +hget +hset +hmget +exists"
        streams = "+xadd +xdel +xrange +xread +xinfo +xsetid +xlen"
        server.command("ACL", "SETUSER", "plugin", "on", ">pw", *rights.split(), *streams.split())
        url = f"redis://plugin:pw@127.0.0.1:{server.port}"
        log = open_log(Settings(redis_url=url, data_dir=tmp_path))

        log.check()
        chain = Chain()
        log.append(chain.add())

        assert [recorded.batch for recorded in log.read_after("job-1", BEGINNING)] == chain.batches
        log.close()


def test_a_fake_server_without_info_is_taken_as_it_is() -> None:
    with fakeredis.FakeRedis() as client:
        EventLog(client, Keys("synapse", 4), "fake").check()

        with pytest.raises(ConfigError, match="has 4 partitions"):
            EventLog(client, Keys("synapse", 5), "fake").check()


def test_the_report_shows_what_an_operator_must_know(log: EventLog) -> None:
    report = log.server_report()

    assert report.version.split()[0] in {"Redis", "Valkey"}
    assert (report.role, report.eviction_policy) == ("master", "noeviction")
    assert report.aof_enabled
    assert report.used_bytes > 0
    assert report.max_bytes == 0
