"""The rights of plugins, consumers and readers: all that each needs, and no more."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from synapse_stream import JobStream, open_run
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.address import running_url
from synapse_stream.log.event_log import open_log
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.server import EmbeddedServer
from synapse_stream.log.trimming import TrimLog
from synapse_stream.log.users import rights
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.log.users import Role

ROOT = Path(__file__).parents[2]
DESTROYING = [
    ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("SHUTDOWN", "NOSAVE"),
    ("KEYS", "*"), ("SCRIPT", "FLUSH"), ("REPLICAOF", "NO", "ONE"),
    ("GET", "other:key"), ("SET", "other:key", "x"), ("MONITOR",),
]  # fmt: skip
NOT_A_PLUGINS = [
    ("HSET", "synapse:config", "partitions", "1"), ("DEL", "synapse:{1.0kiv}:feed"),
    ("XTRIM", "synapse:{1.0kiv}:feed", "MAXLEN", "0"), ("UNLINK", "synapse:config"),
    ("SET", "synapse:{1.0kiv}:trimmed", "9-9"), ("HSET", "synapse:retired", "archive", "1"),
    ("XADD", "synapse:{1.0kiv}:operators:job:.trail", "*", "p", "x"),
    ("HSET", "synapse:{1.0kiv}:operators:producers:.trail", "x", "y"),
    ("RENAME", "synapse:{1.0kiv}:feed", "synapse:{1.0kiv}:job:x"), ("SCAN", "0"),
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestServer]:
    """Start a server of which each role is a user, by the documented commands."""
    with TestServer(tmp_path / "server") as running:
        for role in ("plugin", "consumer", "reader"):
            running.command("ACL", "SETUSER", role, "on", f">{role}", *rights(role, "synapse"))
        yield running


def settings(server: TestServer, role: Role, home: Path) -> Settings:
    url = f"redis://{role}:{role}@127.0.0.1:{server.port}"
    return Settings(redis_url=url, data_dir=home, spool_memory_bytes=0, exit_wait_seconds=20)


def test_each_role_can_do_its_work_and_a_plugin_waits_for_the_first_consumer(
    server: TestServer, tmp_path: Path
) -> None:
    plugin, consumer, reader = (
        settings(server, role, tmp_path) for role in ("plugin", "consumer", "reader")
    )
    with closing(open_log(plugin)) as log:
        with pytest.raises(LogUnavailable, match="founded by the first consumer"):
            log.check()
        with closing(FeedLog.open(consumer)) as feeds:
            feeds.check()
        log.check()

    with open_run("job", settings=plugin) as ctx:
        ctx.set_metrics({"loss": 0.5})
        assert ctx.flush(20)
    project(consumer)
    with closing(TrimLog.open(consumer)) as trimming:
        trimming.check()
        trimming.trim_job_for_good("job", (0, 1))

    assert [recorded.event.type for recorded in JobStream("job", plugin).read()][:2] == [
        *("run_started", "metrics")
    ]
    assert [r.event.type for r in JobStream("job", reader).read()][-1] == "end"
    state = JobStream("job", consumer).state()
    assert state is not None
    assert state.status == "completed"


@pytest.mark.parametrize("role", ["plugin", "consumer", "reader"])
def test_no_role_can_do_what_destroys_or_reaches_beyond_the_namespace(
    role: str, server: TestServer
) -> None:
    with Redis(port=server.port, username=role, password=role) as client:
        for command in DESTROYING:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


@pytest.mark.parametrize("role", ["plugin", "reader"])
def test_neither_plugins_nor_readers_change_what_is_not_theirs(
    role: str, server: TestServer
) -> None:
    with Redis(port=server.port, username=role, password=role) as client:
        for command in NOT_A_PLUGINS:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


def test_a_plugin_cannot_append_to_the_operators_trail(server: TestServer, tmp_path: Path) -> None:
    with closing(FeedLog.open(settings(server, "consumer", tmp_path))) as feeds:
        feeds.check()
        assert feeds.append(Chain(TRAIL).add()).last == 0
    with (
        closing(open_log(settings(server, "plugin", tmp_path))) as log,
        pytest.raises(LogUnavailable, match="does not permit this user"),
    ):
        log.append(Chain(TRAIL, "another").add())


def test_a_reader_appends_nothing(server: TestServer) -> None:
    with Redis(port=server.port, username="reader", password="reader") as client:
        for command in (
            ("XADD", "synapse:{1.0kiv}:job:x", "*", "a", "b"),
            ("EVAL", "return 1", "0"),
        ):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


def test_plugins_of_an_embedded_server_have_no_more_rights(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path):
        with Redis.from_url(running_url(tmp_path)) as plugin:
            for command in (*DESTROYING, *NOT_A_PLUGINS):
                with pytest.raises(NoPermissionError):
                    plugin.execute_command(*command)
        with Redis.from_url(running_url(tmp_path, "consumer")) as consumers:
            assert consumers.execute_command("CONFIG", "GET", "appendonly")


def test_the_documented_commands_are_these_rights() -> None:
    told = (ROOT / "docs" / "operations.md").read_text()
    commands = re.findall(r"^ACL SETUSER (\S+) on >\S+ (.+)$", told, re.MULTILINE)

    assert {name: given.replace("'", "").split() for name, given in commands} == {
        role: rights(role, "synapse") for role in ("plugin", "consumer", "reader")
    }
