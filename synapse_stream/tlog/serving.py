"""A witness as a small HTTP service: `POST /add-checkpoint`, as c2sp.org/tlog-witness has it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from synapse_stream.errors import DecodeError
from synapse_stream.tlog.witness import MOST_BYTES, Asked, Refused

if TYPE_CHECKING:
    from synapse_stream.tlog.witness import Witness

_PATH = "/add-checkpoint"
_TEXT, _SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
_SECONDS = 15


class WitnessServer(ThreadingHTTPServer):
    """Answers for one witness; `serve_forever` until `shutdown`."""

    daemon_threads = True

    def __init__(self, witness: Witness, host: str, port: int) -> None:
        """Listen; port 0 is any that is free.

        Raises:
            OSError: the address cannot be had.
        """
        self.witness = witness
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def do_POST(self) -> None:
        """Cosign a checkpoint, or say why not."""
        length = self.headers.get("content-length", "")
        if self.path != _PATH or not length.isdigit() or int(length) > MOST_BYTES:
            self.close_connection = True
            self._answer(404 if self.path != _PATH else 400, f"only POST {_PATH} is answered")
            return
        try:
            signature = self.server.witness.add(Asked.parse(self.rfile.read(int(length))))
        except DecodeError as error:
            self._answer(400, str(error))
        except Refused as error:
            if error.size is None:
                self._answer(error.status, str(error))
            else:
                self._answer(error.status, str(error.size), _SIZE)
        except OSError as error:
            self._answer(500, f"it cannot be remembered: {error}")
        else:
            self._answer(200, str(signature).removesuffix("\n"))

    def log_message(self, *_: object) -> None:
        """Stay quiet: who asks is told."""

    def _answer(self, status: int, text: str, kind: str = _TEXT) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
