"""The agent of a host: adoption, and an HTTP server on a socket of the host and on loopback."""

from __future__ import annotations

import os
import socket
import stat
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from synapse_stream.agent.asking import Asking
from synapse_stream.agent.outbound import Outbound
from synapse_stream.agent.relay import Relay
from synapse_stream.errors import ConfigError
from synapse_stream.producer.shipping.port import opener
from synapse_stream.settings.urls import SOCKET_SCHEME
from synapse_stream.supervisor.adoption import AdoptionThread
from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.producer.adoption.adopt import Adoption
    from synapse_stream.settings import Settings

_BACKLOG = 4_096
_KEEP_ALIVE_SECONDS = 60
_STOP_SECONDS = 5
_MODE = 0o660
LONGEST_PATH = 100
"""Of a socket, in bytes: the system takes 108 with its end."""


class Agent:
    """Serves and adopts from `with` to its end.

    Nothing is lost when it ends in between: what it has not told to be appended stays with its
    producer, which sends it again.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[Adoption], None],
        *,
        path: Path | None,
        port: int | None = None,
        api: Settings | None = None,
    ) -> None:
        """Serve at the socket `path` and at `port` of loopback, either of which may be None.

        Args:
            settings: where it sends to, by which token, and where the spools are.
            tell: is told what was adopted.
            path: of the socket; who may open it may report.
            port: 0 takes any free one.
            api: how the API is reached that takes what other programs send; `settings`, if they
                name one.

        Raises:
            ConfigError: it cannot listen there, or lacks what it needs.
        """
        open_log = opener(settings)
        self._outbound = Outbound(open_log)
        self._asking = Asking(open_log, api or (settings if settings.url else None))
        self._sockets = _bound(path, port)
        self._path = path
        self.port = next(
            (one.getsockname()[1] for one in self._sockets if one.family == socket.AF_INET), None
        )
        """The one that it has on loopback, if any."""
        self._adoption = AdoptionThread(settings, tell, self.addresses)
        self._server = _server(Relay(self._outbound, self._asking))
        self._thread = threading.Thread(target=self._serve, name="agent", daemon=True)

    @property
    def addresses(self) -> list[str]:
        """What producers of this host set as SYNAPSE_STREAM_URL."""
        found = [] if self._path is None else [f"{SOCKET_SCHEME}://{self._path}"]
        if self.port is not None:
            found += [f"http://{name}:{self.port}" for name in ("127.0.0.1", "localhost")]
        return found

    def __enter__(self) -> Self:
        """Begin."""
        self._outbound.start()
        self._thread.start()
        self._adoption.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End after what is under way."""
        with ExitStack() as ending:
            ending.callback(self._asking.close)
            ending.callback(self._thread.join, _STOP_SECONDS)
            ending.callback(self._outbound.stop)
            ending.callback(self._adoption.__exit__)
            self._server.should_exit = True
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        self._server.run(sockets=self._sockets)


def _server(relay: Relay) -> Any:
    """Return what serves; uvicorn is large, and only an agent needs it here.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415 - as above
    except ImportError as error:
        msg = "the agent needs uvicorn: pip install 'synapse-stream[agent]' brings it"
        raise ConfigError(msg) from error
    config = uvicorn.Config(
        relay,
        interface="asgi3",
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _bound(path: Path | None, port: int | None) -> list[socket.socket]:
    """Return the sockets that are listened at.

    Raises:
        ConfigError: one cannot be had.
    """
    found = []
    try:
        if path is not None:
            found.append(_bound_at(path))
        if port is not None:
            found.append(socket.create_server(("127.0.0.1", port), backlog=_BACKLOG))
    except OSError as error:
        for one in found:
            one.close()
        where = path if not found and path is not None else f"port {port} of 127.0.0.1"
        msg = f"the agent cannot listen at {where}: {error.strerror or error}"
        raise ConfigError(msg) from error
    return found


def _bound_at(path: Path) -> socket.socket:
    """Return a socket of the host at a path, in the place of one that a dead agent left.

    Raises:
        OSError: it cannot be had.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        msg = f"its path has more than {LONGEST_PATH} bytes"
        raise OSError(msg)
    make_folder(path.parent)
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and not _answers(path):
            path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(_MODE)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
