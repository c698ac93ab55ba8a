"""Pools of connections: through a proxy or not, with TLS, or over a socket of this host.

A connection looks before it writes, and before it closes, whether the descriptor is still its own.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from synapse_stream.errors import ConfigError
from synapse_stream.system.descriptors import place_of

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def proxy_of(url: str) -> str | None:
    """Return the proxy of the environment for an address, if there is one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return None if proxy_bypass(host) else getproxies().get(parts.scheme)


def pool_of(settings: Settings, proxy: str | None) -> urllib3.PoolManager:
    """Return connections through `proxy`, or straight; they believe whom the settings name.

    Raises:
        ConfigError: the authorities' file cannot be read.
    """
    trust = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            trust = ssl.create_default_context(cafile=str(settings.ca_file))
        except (OSError, ssl.SSLError) as error:
            msg = f"SYNAPSE_STREAM_CA_FILE={settings.ca_file} cannot be used: {error}"
            raise ConfigError(msg) from error
    options: dict[str, Any] = {"retries": False, "maxsize": 4, "ssl_context": trust}
    if proxy is None:
        made = urllib3.PoolManager(**options)
    else:
        login = unquote(urlsplit(proxy).netloc.rpartition("@")[0])
        headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
        made = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
    made.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return made


class _Guard:
    """Looks before it writes, and before it closes, whether the descriptor is still its own."""

    sock: Any
    _place: tuple[int, int] | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._place = place_of(self.sock.fileno())

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self._let_go_of_foreign():
            msg = "somebody in this process closed the descriptor of its socket"
            raise exceptions.ProtocolError(msg)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        self._let_go_of_foreign()
        super().close()  # type: ignore[misc]

    def _let_go_of_foreign(self) -> bool:
        sock = self.sock
        if sock is None or place_of(sock.fileno()) == self._place:
            return False
        self.sock = None
        sock.detach()
        return True


class _Plain(_Guard, HTTPConnection):
    pass


class _Tls(_Guard, HTTPSConnection):
    pass


class _Socket(_Plain):
    """A connection over a socket of this host."""

    path = ""

    def _new_conn(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout if isinstance(self.timeout, float | int) else None)
            made.connect(self.path)
        except OSError as error:
            made.close()
            raise exceptions.NewConnectionError(self, f"{self.path}: {error}") from error
        return made


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Tls


def pool_of_socket(path: str) -> type[urllib3.HTTPConnectionPool]:
    """Return connections over the socket at `path`, whatever address is asked."""
    way = type("_SocketOfPath", (_Socket,), {"path": path})
    return type("_PoolOfPath", (urllib3.HTTPConnectionPool,), {"ConnectionCls": way})
