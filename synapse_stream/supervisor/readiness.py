"""An HTTP server of ours from outside: is its port free, and does it answer."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

from synapse_stream.errors import ConfigError
from synapse_stream.saying.text import one_line

_ANSWER_SECONDS = 2.0
_FREE_SECONDS = 2.0
_OK = 200
_ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - looked up


class Site:
    """Where an HTTP server of ours is to listen."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self._host = host
        self._reached = _ALL_ADDRESSES.get(host, host)
        self.said = "it does not answer"
        """Why it was not ready when it was last asked."""

    @property
    def url(self) -> str:
        """Its address, for a browser on this machine."""
        host = f"[{self._reached}]" if ":" in self._reached else self._reached
        return f"http://{host}:{self.port}"

    def check_free(self) -> None:
        """See that nobody listens there; what was just killed gets a moment to leave.

        Raises:
            ConfigError: somebody does, or the host is none of this machine's.
        """
        deadline = time.monotonic() + _FREE_SECONDS
        while (error := self._bind()) is not None:
            is_taken = error.errno == errno.EADDRINUSE
            if not is_taken or time.monotonic() > deadline:
                another = f"--port {self.port + 1}" if is_taken else "--host 127.0.0.1"
                msg = (
                    f"port {self.port} of {self._host} cannot be used ({error.strerror}): "
                    f"stop what listens there, or name another: {another}"
                )
                raise ConfigError(msg)
            time.sleep(0.1)

    def is_ready(self) -> bool:
        """Ask /readyz."""
        connection = HTTPConnection(self._reached, self.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            self.said = one_line(answer.read(1000).decode(errors="replace"))
        except (OSError, HTTPException):
            return False
        else:
            return answer.status == _OK
        finally:
            with suppress(OSError):
                connection.close()

    def _bind(self) -> OSError | None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self.port))
            except OSError as error:
                return error
        return None
