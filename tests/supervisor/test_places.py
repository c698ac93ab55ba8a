"""What `up` needs for itself: its data directory and its port."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.supervisor.readiness import Site
from synapse_stream.supervisor.single import RunsAlready, single
from tests.support.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_one_learns_about_the_first(tmp_path: Path) -> None:
    with (
        single(tmp_path / "up.lock", {"pid": 7, "page": "http://x"}),
        pytest.raises(RunsAlready) as caught,
        single(tmp_path / "up.lock", {}),
    ):
        pass

    assert caught.value.about == {"pid": 7, "page": "http://x"}


def test_the_next_one_gets_the_lock_and_leaves_no_word_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "up.lock"
    with single(path, {"pid": 1234567}):
        pass
    with single(path, {"pid": 8}):
        assert path.read_bytes() == b'{"pid":8}'


def test_a_first_one_that_has_said_nothing_yet_is_there_all_the_same(tmp_path: Path) -> None:
    with single(tmp_path / "up.lock", {}):
        os.truncate(tmp_path / "up.lock", 0)
        with pytest.raises(RunsAlready) as caught, single(tmp_path / "up.lock", {}):
            pass

    assert caught.value.about == {}


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=str(tmp_path / "file")), single(tmp_path / "file/x", {}):
        pass


def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1.*--port {port + 1}"),
    ):
        Site("127.0.0.1", port).check_free()
    Site("127.0.0.1", port).check_free()


def test_a_host_of_another_machine_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"of 192.0.2.1 cannot be used"):
        Site("192.0.2.1", free_port()).check_free()


class Answers(BaseHTTPRequestHandler):
    """Answers /readyz with the statuses in turn."""

    statuses: tuple[int, ...] = (503, 200)

    def do_GET(self) -> None:
        type(self).statuses, status = self.statuses[1:], self.statuses[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"the store\n is away")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
        pass


def test_ready_is_what_answers_200() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(HTTPServer(("127.0.0.1", 0), Answers))
        threading.Thread(target=server.serve_forever).start()
        stack.callback(server.shutdown)
        site = Site("127.0.0.1", server.server_port)

        assert not site.is_ready()
        assert site.said == "the store is away"
        assert site.is_ready()
    assert not Site("127.0.0.1", free_port()).is_ready()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8420"),
        ("0.0.0.0", "http://127.0.0.1:8420"),
        ("::", "http://[::1]:8420"),
        ("fe80::1", "http://[fe80::1]:8420"),
        ("example.test", "http://example.test:8420"),
    ],
)
def test_the_address_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert Site(host, 8420).url == url
