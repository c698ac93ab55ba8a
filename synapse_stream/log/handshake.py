"""The handshake: is the server new enough, is the namespace ours, do the partitions agree."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import NoPermissionError, ResponseError

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log import met
from synapse_stream.log.failures import is_wrong_type
from synapse_stream.log.url import server_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from synapse_stream.entries.keys import Keys

FORMAT = 1
"""Version of the key layout and of the entries' fields."""

_OLDEST_REDIS = (7, 0)  # before it, a script that takes an id from the clock may not write
_CONFIG = files(__package__).joinpath("config.lua").read_bytes()


class ServerReport(NamedTuple):
    """The state of a server."""

    version: str
    role: str
    eviction_policy: str
    aof_enabled: bool
    used_bytes: int
    max_bytes: int
    """0: no limit."""
    machine_bytes: int
    """Memory of its machine; 0: not known."""
    refusal: str | None
    """Why it takes no writes just now; None when it does."""


def agree(
    command: Callable[..., Any], keys: Keys, address: str, *, found: bool, root: Path | None = None
) -> str | None:
    """Compare the deployment with how it was founded; with `found`, found it if it was not.

    Args:
        command: asks the server.
        keys: what is expected.
        address: of the server.
        found: whether to found it.
        root: spool root, which may know the id of a deployment whose server was emptied.

    Returns:
        The deployment's id, None if it was not founded.

    Raises:
        ConfigError: they differ; the message names both sides and what to set.
    """
    _check_version(command, address)
    foreign = ConfigError(
        f"the key {keys.config!r} on {address} is another program's; "
        "set SYNAPSE_STREAM_NAMESPACE to a name that is free"
    )
    server = server_key(address)
    doing = f"checking the namespace {keys.namespace!r}"
    looking = ("HMGET", keys.config, "format", "partitions", "id")
    try:
        *there, deployment = command(doing, *looking)
        if found and deployment is None:  # a user who may only read it needs no more than that
            proposal = met.proposal(server, keys.namespace, root)
            founding = ("EVAL", _CONFIG, 1, keys.config, FORMAT, keys.partitions, proposal)
            *there, deployment = command(f"founding the namespace {keys.namespace!r}", *founding)
    except LogUnavailable as error:
        if found and isinstance(error.__cause__, NoPermissionError):
            msg = (
                f"the namespace {keys.namespace!r} is founded by the first consumer, not by plugins"
            )
            raise LogUnavailable(msg, "start `synapse-stream up` or a consumer") from error
        if not is_wrong_type(error):
            raise
        raise foreign from error
    if found or there != [None, None]:
        _compare(there, keys, address, foreign)
    if deployment is None:
        return None
    met.remember(server, keys.namespace, deployment.decode())
    return str(deployment.decode())


def _compare(there: list[Any], keys: Keys, address: str, foreign: ConfigError) -> None:
    try:
        founded_format, partitions = (int(value) for value in there)
    except (TypeError, ValueError):
        raise foreign from None
    if founded_format > FORMAT:
        msg = (
            f"the namespace {keys.namespace!r} on {address} has format {founded_format}, this "
            f"program knows up to {FORMAT}; install a newer synapse-stream"
        )
        raise ConfigError(msg)
    if partitions != keys.partitions:
        msg = (
            f"the namespace {keys.namespace!r} on {address} has {partitions} partitions, this "
            f"program is set to {keys.partitions}; set SYNAPSE_STREAM_PARTITIONS={partitions}, "
            "or SYNAPSE_STREAM_NAMESPACE to another name"
        )
        raise ConfigError(msg)


def read_report(command: Callable[..., Any]) -> ServerReport:
    """Ask the server for its state."""
    info = command("asking for the server's state", "INFO")
    return ServerReport(
        version=_version(info),
        role=info["role"],
        eviction_policy=info["maxmemory_policy"],
        aof_enabled=bool(info["aof_enabled"]),
        used_bytes=info["used_memory"],
        max_bytes=info["maxmemory"],
        machine_bytes=info.get("total_system_memory", 0),
        refusal=_refusal(info),
    )


def _refusal(info: Mapping[str, Any]) -> str | None:
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        return "it could not write its append-only file: its disk is full or failed"
    if 0 < info["maxmemory"] <= info["used_memory"] and info["maxmemory_policy"] == "noeviction":
        return "it uses all the memory that its maxmemory allows"
    return None


def _check_version(command: Callable[..., Any], address: str) -> None:
    try:
        info = command("asking for the server's version", "INFO", "server")
    except LogUnavailable as error:
        # a server whose ACL forbids INFO, or a fake one without it, is taken as it is
        if isinstance(error.__cause__, ResponseError):
            return
        raise
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < _OLDEST_REDIS:
        msg = f"the server {address} is {_version(info)}; Redis 7.0 or any Valkey is needed"
        raise ConfigError(msg)


def _version(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"
