"""The compose file and the image, read: what they start is there and safe."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

from consumers.api.access import Access
from consumers.views import names as projections
from synapse_stream.log.event_log import open_log
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.users import rights
from synapse_stream.remote.tokens import Role
from synapse_stream.settings import Settings
from tests.support.servers import TestServer

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_every_projection_has_consumers_of_its_own_and_more_than_one() -> None:
    for projection in projections():
        service = SERVICES[projection]
        assert service["command"] == ["consumers", projection]
        assert service["deploy"]["replicas"] == 2


def test_what_is_reached_from_outside_is_bound_to_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert sorted(ports) == ["127.0.0.1:6379:6379", "127.0.0.1:8420:8420"]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Make the secrets by the documented command."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (command,) = re.findall(r"^    (sh examples/compose/secrets.sh)$", OPERATIONS, re.MULTILINE)
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "secrets"


def _here(value: str, secrets: Path) -> str:
    return value.replace("/run/secrets", str(secrets))


def test_every_program_has_settings_that_are_allowed_and_waits_for_its_servers(
    secrets: Path,
) -> None:
    programs = [SERVICES[name] for name in (*projections(), "api")]

    for program in programs:
        given = {name: _here(value, secrets) for name, value in program["environment"].items()}
        settings = Settings.load(given)
        assert urlsplit(str(settings.redis_url)).hostname == "valkey"
        assert urlsplit(str(settings.store_url)).hostname == "postgres"
        assert program["depends_on"].keys() == {"valkey", "postgres"}
        assert all("healthcheck" in SERVICES[name] for name in program["depends_on"])
    assert programs[-1]["command"] == ["consumers.api", "--host", "0.0.0.0"]


def test_the_server_keeps_what_it_took() -> None:
    command = " ".join(SERVICES["valkey"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_documented_command_makes_a_token_that_the_api_takes(secrets: Path) -> None:
    given = SERVICES["api"]["environment"]["SYNAPSE_STREAM_API_TOKENS"]
    access = Access.load(Settings.load({"SYNAPSE_STREAM_API_TOKENS": _here(given, secrets)}))
    (made,) = json.loads((secrets / "api_tokens").read_text())
    caller = access.by_token(made["token"])

    assert caller is not None
    assert (caller.name, caller.role) == ("me", Role.OPERATOR)


def test_no_password_stands_in_the_file_and_each_is_made_once(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    subprocess.run(
        ["/bin/sh", "examples/compose/secrets.sh"],
        cwd=secrets.parent,
        check=True,
        capture_output=True,
    )

    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert {Path(each["file"]).name for each in COMPOSE["secrets"].values()} <= before.keys()
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert len(set(before.values())) == len(before)
    assert not re.search(
        r"password[^_F]*[:=] *\w", (ROOT / "docker-compose.yml").read_text(), re.IGNORECASE
    )


def test_the_server_lets_the_users_in_and_nobody_else(secrets: Path, tmp_path: Path) -> None:
    rules = (secrets / "valkey.acl").read_text()
    with TestServer(tmp_path / "server") as server:
        for rule in rules.splitlines():
            _, name, *words = rule.split()
            if name != "default":
                server.command("ACL", "SETUSER", name, *words)
        urls = {
            role: re.sub(
                r"@[^@]*$", f"@127.0.0.1:{server.port}", (secrets / name).read_text().strip()
            )
            for role, name in (("consumer", "redis_url"), ("plugin", "plugin_url"))
        }
        with closing(FeedLog.open(Settings(redis_url=urls["consumer"]))) as log:
            log.check()
        with closing(open_log(Settings(redis_url=urls["plugin"]))) as log:
            assert log.check()
    assert [line for line in rules.splitlines() if line.startswith("user default")] == [
        "user default on nopass resetkeys resetchannels -@all +ping"
    ]
    for role in ("consumer", "plugin"):
        (rule,) = (line for line in rules.splitlines() if line.startswith(f"user {role} "))
        assert rule.split()[4:] == rights(role, "synapse")


def test_secrets_are_neither_committed_nor_in_the_image() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert "secrets/" in (ROOT / name).read_text().splitlines()


def test_every_image_is_named_by_its_digest() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert len(images) == 4
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)


def test_every_container_reads_its_root_only_and_gains_no_privileges() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    for name in (*projections(), "api"):
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        data_dir = SERVICES[name]["environment"]["SYNAPSE_STREAM_DATA_DIR"]
        assert any(data_dir.startswith(f"{place}/") for place in SERVICES[name]["tmpfs"])


def test_the_image_installs_with_hashes_what_the_lock_pins_and_runs_as_nobody() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text()
        found = re.findall(
            r"^([a-z0-9-]+)==([^\s;]+)[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE
        )
        assert len(found) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
        return dict(found)

    image, lock = pins("requirements.image.lock"), pins("requirements.lock")

    assert image.items() <= lock.items()
    assert {"sqlalchemy", "fastapi", "psycopg", "redis"} <= image.keys()
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps wheel/*.whl" in line for line in installs)
    assert "USER nobody" in DOCKERFILE
    assert "EXPOSE 8420" in DOCKERFILE
