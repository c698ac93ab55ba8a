"""The agent's examples: valid by the schemas of Compose and Kubernetes, with true settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import yaml  # type: ignore[import-untyped]

from synapse_stream.settings import PREFIX, Settings

FOLDER = Path(__file__).parents[2] / "examples" / "agent"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "daemonset.yaml").read_text()))
SOCKET = "http+unix:///run/synapse-stream/agent.sock"
ON_THE_HOST = ("SPOOL_DIR", "MEMORY_DIR")


def test_the_compose_file_is_one() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    command += [str(FOLDER / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_manifests_are_ones() -> None:
    assert [manifest["kind"] for manifest in MANIFESTS] == ["DaemonSet", "Job"]
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, "1.33", strict=True)


def _environments() -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return of both examples what agent and plugin are told."""
    pods = [manifest["spec"]["template"]["spec"]["containers"][0] for manifest in MANIFESTS]
    agent, plugin = ({one["name"]: one["value"] for one in pod["env"]} for pod in pods)
    services = COMPOSE["services"]
    return [(services["agent"]["environment"], services["plugin"]["environment"]), (agent, plugin)]


def test_a_plugin_names_the_agents_socket_and_has_its_spool_where_the_agent_looks() -> None:
    for of_agent, of_plugin in _environments():
        agent, plugin = Settings.load(of_agent), Settings.load(of_plugin)
        asked = {PREFIX + name for name in ON_THE_HOST}

        assert plugin.url == SOCKET
        assert plugin.token is None
        assert agent.token is not None
        assert {name: of_agent[name] for name in asked} == {name: of_plugin[name] for name in asked}


def test_both_run_as_one_user_and_nothing_more_than_they_need() -> None:
    agent = MANIFESTS[0]["spec"]["template"]["spec"]["containers"][0]
    services = COMPOSE["services"]

    assert {service["user"] for service in services.values()} == {"1000:1000"}
    assert agent["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert agent["args"][:2] == services["agent"]["command"][:2] == ["synapse_stream.cli", "agent"]
