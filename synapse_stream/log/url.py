"""Server URLs: where the server or servers are, and how to log in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from synapse_stream.errors import ConfigError
from synapse_stream.redaction.urls import HOW_TO_WRITE, is_readable, mask_url, without_secrets
from synapse_stream.settings.urls import URL_SCHEMES

_SERVER_PORT, _SENTINEL_PORT = 6379, 26379
_TLS_OPTIONS = (
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a URL says; `login` and `sentinel_login` are keyword arguments of redis-py's clients."""

    scheme: str
    nodes: tuple[tuple[str, int], ...]
    path: str
    """Of a unix socket, else empty."""
    service: str
    """What the sentinels call the server, else empty."""
    login: dict[str, Any]
    sentinel_login: dict[str, Any]

    @property
    def is_cluster(self) -> bool:
        """True for a Redis Cluster."""
        return self.scheme.endswith("+cluster")

    @property
    def is_sentinel(self) -> bool:
        """True if the nodes are sentinels, to be asked for the primary."""
        return self.scheme.endswith("+sentinel")


def parse_url(url: str) -> Endpoint:
    """Read a server URL.

    The forms are redis://host:port/db, unix:///path, redis+cluster://host:port,host:port and
    redis+sentinel://host:port,host:port/service/db; with TLS the scheme begins with rediss.

    Raises:
        ConfigError: the URL has another form; the message shows it without its password.
    """
    try:
        return _parse(url)
    except ValueError as error:
        said = without_secrets(str(error), url)
        msg = f"the server URL {mask_url(url)!r} is not allowed: {said}"
        raise ConfigError(msg) from None


def server_key(address: str) -> str:
    """Return the same text for every way of writing a server's address.

    It may be a URL, with or without secrets, which do not matter, or any other text.
    """
    try:
        endpoint = parse_url(mask_url(address)) if "://" in address else None
    except ConfigError:
        endpoint = None
    if endpoint is None:
        return address
    if endpoint.path:
        return f"unix:{endpoint.path}"
    nodes = sorted(f"{_same_host(host)}:{port}" for host, port in endpoint.nodes)
    kind = endpoint.scheme.partition("+")[2]
    return f"{kind}:{','.join(nodes)}/{endpoint.service}/{endpoint.login.get('db', 0)}"


def _same_host(host: str) -> str:
    name = host.lower().rstrip(".")
    with suppress(ValueError):
        address = ip_address(name)
        return "localhost" if address.is_loopback else str(address)
    return name


def _parse(url: str) -> Endpoint:
    parts = urlsplit(url)
    scheme = parts.scheme
    if scheme not in URL_SCHEMES:
        msg = f"its scheme must be one of {', '.join(URL_SCHEMES)}"
        raise ValueError(msg)
    if not is_readable(url):
        raise ValueError(HOW_TO_WRITE)
    login, sentinel_login = _logins(parts)
    if scheme == "unix":
        if not parts.path:
            msg = "it lacks the path of the socket, as in unix:///run/valkey.sock"
            raise ValueError(msg)
        return Endpoint(scheme, (), unquote(parts.path), "", login, {})
    service, database = _service_and_database(unquote(parts.path), scheme)
    if not scheme.endswith("+cluster"):
        login = {"db": database, **login}
    elif database:
        msg = "a cluster has only the database 0"
        raise ValueError(msg)
    return Endpoint(scheme, _nodes(parts.netloc, scheme), "", service, login, sentinel_login)


def _logins(parts: SplitResult) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what logs in to the server, and what logs in to the sentinels."""
    options: dict[str, Any] = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    allowed: tuple[str, ...] = _TLS_OPTIONS if parts.scheme.startswith("rediss") else ()
    if parts.scheme.endswith("+sentinel"):
        allowed += _SENTINEL_OPTIONS
    for name in options:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            msg = f"{name!r} is no option of a {parts.scheme} URL; allowed: {known}"
            raise ValueError(msg)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = _given(username=unquote(user), password=unquote(password))
    sentinel_login = _given(
        username=options.pop("sentinel_username", ""), password=options.pop("sentinel_password", "")
    )
    if parts.scheme.startswith("rediss"):
        if "ssl_check_hostname" in options:
            options["ssl_check_hostname"] = _boolean(options["ssl_check_hostname"])
        options["ssl"] = True
    return login | options, sentinel_login | options


def _given(**values: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        msg = f"ssl_check_hostname must be true or false, not {text!r}"
        raise ValueError(msg)
    return text == "true"


def _nodes(netloc: str, scheme: str) -> tuple[tuple[str, int], ...]:
    default_port = _SENTINEL_PORT if scheme.endswith("+sentinel") else _SERVER_PORT
    hosts = [urlsplit(f"//{host}") for host in netloc.rpartition("@")[2].split(",")]
    if len(hosts) > 1 and "+" not in scheme:
        msg = "several hosts need redis+cluster:// or redis+sentinel://"
        raise ValueError(msg)
    for host in hosts:
        (host.hostname or "").encode(
            "idna"
        )  # as the socket will, but then it is too late to refuse
    return tuple((host.hostname or "localhost", host.port or default_port) for host in hosts)


def _service_and_database(path: str, scheme: str) -> tuple[str, int]:
    service, database = "", path.strip("/")
    if scheme.endswith("+sentinel"):
        service, _, database = database.partition("/")
        if not service:
            msg = "it lacks the name of the service, as in redis+sentinel://host:26379/mymaster"
            raise ValueError(msg)
    if not (database or "0").isdecimal():
        msg = f"the database must be a number, not {database!r}"
        raise ValueError(msg)
    return service, int(database or "0")
