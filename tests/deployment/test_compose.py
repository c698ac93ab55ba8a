"""The compose file and the image, read: what they start is there and safe."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement

from consumers.api.access import Access
from consumers.api.tokens import Role
from synapse_stream.operations import PROJECTIONS
from synapse_stream.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_every_projection_has_consumers_of_its_own_and_more_than_one() -> None:
    for projection in PROJECTIONS:
        service = SERVICES[projection]
        assert service["command"] == ["consumers", projection]
        assert service["deploy"]["replicas"] == 2


def test_what_is_reached_from_outside_is_bound_to_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert sorted(ports) == ["127.0.0.1:6379:6379", "127.0.0.1:8420:8420"]


def test_every_program_has_settings_that_are_allowed_and_waits_for_its_servers() -> None:
    programs = [SERVICES[name] for name in (*PROJECTIONS, "api")]

    for program in programs:
        settings = Settings.load(program["environment"])
        assert settings.redis_url == "redis://valkey:6379"
        assert settings.store_url == "postgresql://synapse:synapse@postgres/synapse"
        assert program["depends_on"].keys() == {"valkey", "postgres"}
        assert all("healthcheck" in SERVICES[name] for name in program["depends_on"])
    assert programs[-1]["command"] == ["consumers.api", "--host", "0.0.0.0"]


def test_the_server_keeps_what_it_took() -> None:
    command = " ".join(SERVICES["valkey"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_documented_commands_make_a_token_that_the_api_takes(tmp_path: Path) -> None:
    (script,) = re.findall(r"( +cat > api.env.*?\n +END\n)", OPERATIONS, re.DOTALL)
    subprocess.run(["/bin/sh", "-c", dedent(script)], cwd=tmp_path, check=True)
    name, _, quoted = (tmp_path / "api.env").read_text().strip().partition("=")
    access = Access.load(Settings.load({name: quoted.strip("'")}))
    caller = access.by_token(quoted.split('"token": "')[1].split('"')[0])

    assert SERVICES["api"]["env_file"] == "api.env"
    assert quoted[0] == quoted[-1] == "'"
    assert caller is not None
    assert (caller.name, caller.role) == ("me", Role.OPERATOR)


def test_the_token_s_file_is_neither_committed_nor_in_the_image() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert "api.env" in (ROOT / name).read_text().splitlines()


def test_the_image_installs_the_lock_s_versions_and_runs_as_nobody() -> None:
    (script,) = re.findall(r"(sed -n '.*' requirements.lock)", DOCKERFILE)
    versions = subprocess.check_output(["/bin/sh", "-c", script], cwd=ROOT, text=True)
    pins = [Requirement(line) for line in versions.splitlines()]
    locked = re.findall(r"^[a-z0-9]", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert len(pins) == len(locked)
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    assert "USER nobody" in DOCKERFILE
    assert "EXPOSE 8420" in DOCKERFILE
