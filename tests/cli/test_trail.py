"""The operators' trail: what was done, by whom, and that nothing is done that it cannot tell."""

from __future__ import annotations

import getpass
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream import JobStream, open_run
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.log.revoking import RevokingLog
from synapse_stream.operating.trail import Trail, acting
from tests.support import doors
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said


def shown(command: Callable[..., Said], *arguments: str) -> list[dict[str, Any]]:
    return command("trail", "--json", *arguments).objects


def test_an_act_is_told_with_who_from_where_why_before_and_after(
    command: Callable[..., Said], settings: Settings
) -> None:
    command("token", "--revoke", "abc", "--reason", "it was in a chat")
    (act,) = shown(command)
    table = command("trail")
    kinds = [one.event.type for one in JobStream(TRAIL, settings).read()]

    assert kinds == ["act", "outcome", "end"]
    assert (act["act"], act["by"], act["host"]) == (
        *("token revoke", getpass.getuser()),
        socket.gethostname(),
    )
    assert act["origin"] == "synapse-stream token --revoke abc --reason 'it was in a chat'"
    assert (act["reason"], act["before"]) == ("it was in a chat", {"id": "abc"})
    assert (act["outcome"], act["error"], act["jobs"]) == ("done", None, [])
    assert "it was in a chat" in table.out


def test_every_command_that_changes_what_is_recorded_or_shown_is_an_act(
    command: Callable[..., Said], settings: Settings, tmp_path: Path
) -> None:
    with open_run("job-1", settings=settings) as ctx:
        ctx.set_metrics({"loss": 1.0})
        assert ctx.flush(20)
    project(settings)
    exported = str(tmp_path / "job-1.jsonl.zst")
    lines = tmp_path / "log.jsonl"
    lines.write_bytes(orjson.dumps({"ts": 1_763_880_000, "n": 1, "loss": 0.5}))
    mapping = '{"time": "ts", "x": "n"}'
    command("export", "job-1", "-o", exported)
    asked = [
        ("import", exported),
        ("import", str(lines), "--job", "foreign", "--map", mapping),
        ("replay", "job-1", "--to", "job-2"),
        ("rebuild", "run-state", "--job", "job-1"),
        ("rebuild", "run-state", "--job", "job-1", "--rollback"),
        ("parked", "retry", "--all", "--job", "job-1"),
        ("parked", "drop", "run-state/7"),
        ("trim", "--retire", "message-feed"),
        ("rebuild", "message-feed"),
        ("token", "job-1"),
        ("token", "--revoke", "abc"),
    ]
    for words in asked:
        command(*words, "--reason", "asked for")

    acts = shown(command)
    assert [(act["act"], act["jobs"]) for act in acts] == [
        ("import", ["job-1"]),
        ("import", ["foreign"]),
        ("replay --to", ["job-2"]),
        ("rebuild", ["job-1"]),
        ("rebuild --rollback", ["job-1"]),
        ("parked retry", ["job-1"]),
        ("parked drop", []),
        ("trim --retire", []),
        ("rebuild", []),
        ("token make", ["job-1"]),
        ("token revoke", []),
    ]
    assert {act["reason"] for act in acts} == {"asked for"}
    assert {act["outcome"] for act in acts} == {"done"}
    assert acts[7]["after"] == {"retired": ["message-feed"]}
    assert [act["act"] for act in shown(command, "--act", "parked")] == [
        *("parked retry", "parked drop")
    ]
    assert [act["act"] for act in shown(command, "--job", "job-2")] == ["replay --to"]
    assert shown(command, "--since", acts[10]["position"]) == acts[10:]
    assert shown(command, "--since", "2100-01-01") == []


def test_the_trail_is_chained_archived_verified_and_no_job_of_lists(
    command: Callable[..., Said], settings: Settings
) -> None:
    command("token", "--revoke", "abc")
    project(settings)
    verified = command("verify", TRAIL, "--json")
    (report,) = verified.objects

    assert (report["verdict"], report["archived"]) == ("intact", 3)
    assert command("jobs", "--json").objects == []
    assert command("show", TRAIL).code == 0


def test_what_the_trail_cannot_tell_is_not_done(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestServer(tmp_path / "own") as own:
        there = settings.model_copy(update={"redis_url": own.url})
        with closing(open_log(there)) as log:
            log.check()
        own.command("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
        with pytest.raises(LogUnavailable), acting(there, "an act"):
            pytest.fail("it was done")
        own.command("CONFIG", "SET", "maxmemory", "0")
        with acting(there, "an act"):
            pass


def test_an_act_that_fails_says_so_and_one_cut_short_has_no_outcome(
    command: Callable[..., Said], settings: Settings
) -> None:
    def fail() -> None:
        with acting(settings, "one") as act:
            act.after["count"] = 3
            raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        fail()
    trail = Trail.open(settings)
    cut = trail.act("two")
    cut.__enter__()
    one, two = shown(command)

    assert (one["outcome"], one["error"], one["after"]) == ("failed", "no disk", {"count": 3})
    assert (two["outcome"], two["error"], two["after"]) == (None, None, None)
    assert "not known" in command("trail").out
    cut.__exit__(None, None, None)
    trail.close()


def test_a_server_that_lost_its_tail_is_told_all_the_same(
    command: Callable[..., Said], server: TestServer, settings: Settings
) -> None:
    with closing(Trail.open(settings)) as trail:
        with trail.act("one"):
            pass
        with closing(open_log(settings)) as log:
            server.command("DEL", log.keys.producers(TRAIL))
        with trail.act("two"):
            pass

    assert [(act["act"], act["outcome"]) for act in shown(command)] == [
        *(("one", "done"), ("two", "done"))
    ]


def test_no_secret_of_a_command_line_stands_in_the_trail(
    command: Callable[..., Said], server: TestServer, settings: Settings
) -> None:
    with closing(open_log(settings)) as log:
        log.append(Chain("job-1").add())
    url = f"redis://user:hidden-here@127.0.0.1:{server.port}"
    command("replay", "job-1", "--to", "job-2", "--redis-url", url)
    command("replay", "job-1", "--to", "job-2", "--reason", "password=hunter2!x")

    said = command("events", TRAIL, "--json").out
    assert "hunter2" not in said
    assert "hidden-here" not in said


def test_no_run_can_report_to_the_trail(command: Callable[..., Said], settings: Settings) -> None:
    with pytest.raises(ValueError, match="operators' trail"):
        open_run(TRAIL, settings=settings)
    with closing(open_log(settings)) as log:
        log.append(Chain("job-1").add())

    assert "operators' trail" in command("replay", "job-1", "--to", TRAIL).err


def test_over_http_it_is_whose_token_asked_and_from_where(
    command: Callable[..., Said],
    server: TestServer,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with doors.opened(server, tmp_path / "api", namespace=settings.namespace) as door:
        monkeypatch.delenv("SYNAPSE_STREAM_REDIS_URL")
        monkeypatch.setenv("SYNAPSE_STREAM_URL", door.url)
        monkeypatch.setenv("SYNAPSE_STREAM_TOKEN", doors.OPERATOR)
        (made,) = command("token", "job-1", "--json", "--reason", "for ada").objects
        command("token", "--revoke", made["id"], "--reason", "ada left")
        acts = shown(command)
    with closing(RevokingLog.open(settings)) as log:
        assert log.revoked() == [made["id"]]

    assert [(act["act"], act["reason"], act["jobs"]) for act in acts] == [
        ("token make", "for ada", ["job-1"]),
        ("token revoke", "ada left", []),
    ]
    assert {act["by"] for act in acts} == {"token operator"}
    assert acts[1]["origin"] == f"DELETE /api/tokens/{made['id']} from 127.0.0.1"
