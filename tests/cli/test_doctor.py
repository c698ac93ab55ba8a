from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from consumers.views import names as projections
from synapse_stream.log.handshake import read_report
from synapse_stream.system.private import make_file, make_folder
from tests.support.chains import Chain
from tests.support.postgres import postgres
from tests.support.projecting import project
from tests.support.raw import client_of
from tests.support.servers import TestServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

__all__ = ["postgres"]


@pytest.fixture
def careless_server(tmp_path: Path) -> Iterator[TestServer]:
    config = {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru", "appendonly": "no"}
    with TestServer(tmp_path / "careless", config=config) as server:
        yield server


def verdicts(said: Said) -> dict[str, str]:
    return {line.split()[1].rstrip(":"): line.split()[0] for line in said.lines}


def test_all_is_well_on_a_good_server(command: Callable[..., Said]) -> None:
    said = command("doctor")

    assert said.code == 0, said
    assert verdicts(said)["server"] == verdicts(said)["eviction"] == "ok"
    assert "problem" not in verdicts(said).values()
    assert "noeviction" in said.out


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_where_nothing_is_yet_it_founds_nothing(
    request: pytest.FixtureRequest,
    command: Callable[..., Said],
    server: TestServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
) -> None:
    with ExitStack() as exits:
        url = None
        if store == "postgres":
            url = exits.enter_context(request.getfixturevalue("postgres").lend())
            monkeypatch.setenv("SYNAPSE_STREAM_STORE_URL", url)

        assert command("doctor").code == command("lag").code == 0

        assert server.command("DBSIZE") == 0
        assert not (settings.data_dir / "views").exists()
        if url is not None:
            with psycopg.connect(url) as connection:
                tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                assert connection.execute(tables).fetchall() == []


def test_a_server_that_deletes_events_is_a_problem_with_a_way_out(
    command: Callable[..., Said],
    careless_server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", careless_server.url)

    said = command("doctor")

    assert said.code == 1
    assert "problem  eviction: allkeys-lru" in said.out
    assert "CONFIG SET maxmemory-policy noeviction" in said.out
    assert "warning  persistence: append-only file off" in said.out


def test_a_missing_append_only_file_alone_is_only_a_warning(
    command: Callable[..., Said],
    careless_server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", careless_server.url)
    careless_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")

    said = command("doctor")

    assert said.code == 0
    assert verdicts(said)["persistence"] == "warning"


def test_a_nearly_full_server_is_a_warning(
    command: Callable[..., Said],
    careless_server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", careless_server.url)
    careless_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    careless_server.command("SET", "filling", b"x" * 20_000_000)
    careless_server.command("CONFIG", "SET", "maxmemory", "24mb")

    said = command("doctor")

    assert verdicts(said)["memory"] == "warning"
    assert "of 24 MiB used → raise maxmemory" in said.out


def test_a_server_that_is_away_is_a_problem_and_the_host_is_still_looked_at(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", f"redis://:secret@127.0.0.1:{free_port()}")

    said = command("doctor")

    assert said.code == 1
    assert verdicts(said)["server"] == "problem"
    assert verdicts(said)["spool"] == "ok"
    assert "secret" not in said.out + said.err


def test_another_number_of_partitions_is_a_problem_that_names_both(
    command: Callable[..., Said], log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.check()
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "5")

    said = command("doctor")

    assert said.code == 1
    assert verdicts(said)["deployment"] == "problem"
    assert "16 partitions" in said.out
    assert "5" in said.out


def test_a_spool_that_cannot_be_made_is_a_problem(
    command: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYNAPSE_STREAM_SPOOL_DIR", str(tmp_path / "file" / "spool"))

    said = command("doctor")

    assert said.code == 1
    assert verdicts(said)["spool"] == "problem"
    assert "SYNAPSE_STREAM_SPOOL_DIR" in said.out


def test_a_spool_on_disk_only_is_a_warning(command: Callable[..., Said]) -> None:
    assert "warning  shared memory: not used" in command("doctor").out


def test_findings_as_json_say_the_same(command: Callable[..., Said]) -> None:
    said = command("doctor", "--json")

    (report,) = said.objects
    assert report["healthy"] is True
    assert {"subject": "eviction", "verdict": "ok", "text": "noeviction", "advice": None} in report[
        "findings"
    ]


def test_the_settings_are_shown_without_their_password(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", "redis://user:secret@host:6379/0")

    said = command("doctor", "--print-config")

    assert said.code == 0
    assert "SYNAPSE_STREAM_REDIS_URL=redis://host:6379/0" in said.lines
    assert "SYNAPSE_STREAM_PARTITIONS=16" in said.lines
    (config,) = command("doctor", "--print-config", "--json").objects
    assert config["SYNAPSE_STREAM_REDIS_URL"] == "redis://host:6379/0"


def test_a_wrong_setting_is_one_line_and_exit_code_2(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "many")

    said = command("doctor")

    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("synapse-stream: SYNAPSE_STREAM_PARTITIONS='many' is not allowed")
    assert said.err.count("\n") == 1


def test_it_says_how_fast_memory_fills_and_who_holds_trimming_back(
    command: Callable[..., Said], log: EventLog
) -> None:
    log.check()
    assert verdicts(command("doctor"))["retention"] == "ok"
    an_hour_ago = (time.time() - 3600) * 1000
    client_of(log).execute_command("XADD", log.keys.feed(0), int(an_hour_ago), "j", "job-0", "n", 1)
    log.append(Chain("job-1").add({}))

    said = command("doctor")

    [line] = [line for line in said.lines if " retention: " in line]
    assert re.search(r"held back: archive by .*, run-state by .* MiB a day .* memory lasts", line)
    assert "synapse-stream trim --retire NAME" in line
    assert verdicts(said)["projections"] == "problem"


@pytest.mark.parametrize("name", ["views/run-state.db", "api.token", "api.key", "api.ended"])
def test_files_that_others_may_read_are_named_with_the_command_that_closes_them(
    command: Callable[..., Said], settings: Settings, name: str
) -> None:
    file = settings.data_dir / name
    make_folder(file.parent)
    make_file(file)
    assert verdicts(command("doctor"))["files"] == "ok"

    file.chmod(0o644)
    said = command("doctor")

    assert verdicts(said)["files"] == "warning"
    assert f"others on this machine may use {file}" in said.out
    assert f"chmod -R go= {settings.data_dir}" in said.out


def test_a_missing_permission_is_named_with_the_command_that_gives_it(
    command: Callable[..., Said],
    careless_server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = ("on", "nopass", "~*", "&*", "+@all", "-@dangerous")
    careless_server.command("ACL", "SETUSER", "plain", *rules)
    url = f"redis://plain:x@127.0.0.1:{careless_server.port}"
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", url)

    said = command("doctor")

    assert said.code == 1
    assert "does not permit 'info'; permit it: ACL SETUSER plain +info" in said.out


def test_a_server_that_takes_no_more_is_a_problem(
    command: Callable[..., Said],
    careless_server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", careless_server.url)
    careless_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    careless_server.command("CONFIG", "SET", "maxmemory", "1mb")

    said = command("doctor")

    assert said.code == 1
    assert "problem  writes: refused: it uses all the memory" in said.out
    assert "CONFIG SET maxmemory" in said.out


def test_a_server_that_could_not_write_its_file_says_so() -> None:
    info = {
        "redis_version": "7.2",
        "role": "master",
        "maxmemory_policy": "noeviction",
        "aof_enabled": 1,
        "used_memory": 1,
        "maxmemory": 0,
    }

    assert read_report(lambda *_: info).refusal is None
    refused = read_report(lambda *_: info | {"aof_last_write_status": "err"}).refusal
    assert "could not write its append-only file" in str(refused)


@pytest.mark.parametrize("damage", [b"", b"no database" * 1000, None])
@pytest.mark.parametrize("name", projections())
def test_a_damaged_database_is_named_and_nothing_is_to_be_deleted(
    command: Callable[..., Said],
    log: EventLog,
    settings: Settings,
    name: str,
    damage: bytes | None,
) -> None:
    log.append(Chain("job-1").add({}))
    project(settings)
    file = settings.data_dir / "views" / f"{name}.db"
    for other in file.parent.glob(f"{name}.db-*"):
        other.unlink()
    whole = file.read_bytes()
    half = whole[: len(whole) // 2] + b"\xa5" * (len(whole) // 2)
    file.write_bytes(half if damage is None else damage)

    said = command("doctor")

    if damage == b"":  # to SQLite that is a new one
        assert verdicts(said)["store"] == "ok"
        return
    assert said.code == 1
    assert f"problem  store: {name}: " in said.out
    assert "is damaged" in said.out
    assert not re.search(r"\b(delete|remove|rm|drop)\b", said.out)
    advice = "keep the file" if name == "archive" else f"synapse-stream rebuild {name}"
    assert advice in said.out


def test_a_projection_that_stands_still_is_named_with_what_starts_it(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add({}))
    project(settings)
    keys = log.keys
    old = int(time.time() * 1000) - 90_000
    client_of(log).execute_command("XADD", keys.job("waiting"), f"{old}-0", "p", "x")
    client_of(log).execute_command(
        "XADD", keys.feed(keys.partition("waiting")), f"{old}-0", "j", "waiting"
    )

    said = command("doctor")

    assert said.code == 1
    for name in projections():
        assert re.search(f"problem  projections: {name} is 1 min 3. s behind", said.out)
        assert f"python -m consumers {name}" in said.out
