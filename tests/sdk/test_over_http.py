"""The SDK's unmodified driver and nothing of ours in its process: `SYNAPSE_HOST` leads to our API.

Between both stands a proxy that does to requests what proxies and gateways do.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import JobStream
from synapse_stream.remote.tokens import issue, sign
from tests.sdk.test_drivers import DRIVER, run
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import Settings

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"  # the SDK's environment has no API
SECRET = "a secret of 32 characters or more"
COUNT = 700
BEFORE, BEHIND = "before", "behind"
"""Whether a request that is refused has been passed on."""


@contextmanager
def api(settings: Settings) -> Iterator[int]:
    """Run the API as a process of its own; yield its port."""
    port = free_port()
    environ = {
        "SYNAPSE_STREAM_REDIS_URL": str(settings.redis_url),
        "SYNAPSE_STREAM_NAMESPACE": settings.namespace,
        "SYNAPSE_STREAM_DATA_DIR": str(settings.data_dir),
        "SYNAPSE_STREAM_TOKEN_SECRET": SECRET,
    }
    process = subprocess.Popen(
        [PYTHON, "-m", "consumers.api", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on, and does to the posts of some numbers what is said."""

    protocol_version = "HTTP/1.1"
    port: int
    faults: dict[int, tuple[str, Any]]
    posts = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        place, fault = self._fault()
        status = 0 if place == BEFORE else self._pass_on(body)
        if fault == "twice":
            self._pass_on(body)
        if fault == "reset":
            self.close_connection = True
        else:
            self._answer(fault if isinstance(fault, int) else status)

    do_PATCH = do_POST  # noqa: N815 - named by the library

    def _fault(self) -> tuple[str, Any]:
        if self.command != "POST":
            return "", None
        kind = type(self)
        kind.posts += 1
        return self.faults.get(kind.posts, ("", None))

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def _pass_on(self, body: bytes) -> int:
        headers = {"Synapse-Access-Token": self.headers["Synapse-Access-Token"]}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(self.command, self.path, body, headers)
            return connection.getresponse().status

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as above
        pass


@contextmanager
def proxy(port: int, faults: dict[int, tuple[str, Any]]) -> Iterator[str]:
    """Have such a proxy before the API; yield its address."""
    handler = type("Handler", (Proxy,), {"port": port, "faults": faults})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ingest/synapse"
        server.shutdown()


@pytest.mark.parametrize(
    ("faults", "is_unconfirmed"),
    [
        ({}, False),
        ({1: (BEFORE, 503), 2: (BEFORE, 503)}, False),
        ({1: (BEHIND, 503), 2: (BEHIND, 503), 3: (BEHIND, 503), 4: (BEHIND, 503)}, False),
        ({1: (BEHIND, 429), 2: (BEFORE, 429)}, False),
        ({1: (BEHIND, 500), 2: (BEHIND, 401), 3: (BEFORE, 500), 4: (BEHIND, 413)}, False),
        ({1: (BEHIND, "twice"), 2: (BEHIND, "twice"), 3: (BEHIND, "twice")}, False),
        ({2: (BEHIND, "reset")}, True),
    ],
    ids=["none", "503", "503 behind", "429", "refused behind", "twice", "reset behind"],
)
def test_what_an_unmodified_plugin_reports_is_there_once_and_in_order(
    settings: Settings, faults: dict[int, tuple[str, Any]], is_unconfirmed: bool
) -> None:
    token = sign(issue("plugin", 3600, jobs="job-42", append=True), SECRET)
    with api(settings) as port, proxy(port, faults) as host:
        done = run(
            settings,
            *DRIVER,
            SYNAPSE_HOST=host,
            SYNAPSE_ACCESS_TOKEN=token,
            SYNAPSE_JOB_ID="job-42",
            SYNAPSE_ACTION_ENTRYPOINT="tests.sdk.plugin.BusyAction",
            SYNAPSE_ACTION_PARAMS=json.dumps({"epochs": COUNT}),
        )
        assert done.returncode == 0, done.stderr
    found: list[Any] = [one.event for one in JobStream("job-42", settings=settings).read()]

    logs = [event for event in found if event.type == "log" and event.event == "saved"]
    assert [event.data["epoch"] for event in logs] == list(range(COUNT))
    losses = [(event.counts, event.uncounted) for event in found if event.type == "loss"]
    told: list[Any] = [({}, True)] * len(
        losses
    )  # of what it does not know it tells in a later snapshot, if any
    assert losses == (told[:1] if is_unconfirmed else [])
    assert (found[0].type, found[-1].type) == ("run_started", "end")
    assert (found[-1].status, found[-1].result) == ("completed", {"epochs": COUNT})
    assert [event.step for event in found if event.type == "progress"][-1] == "train"
