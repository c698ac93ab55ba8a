"""What one client may take: bytes, time and connections."""

from __future__ import annotations

import gc
import gzip
import json
import re
import socket
from collections import Counter
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zstandard

from consumers.api import connections
from consumers.api.app import create_app
from consumers.api.shares import Seats
from consumers.store.engine import Database
from consumers.views import names as projections
from consumers.views.opening import open_views
from synapse_stream.errors import ConfigError
from synapse_stream.log.event_log import open_log
from synapse_stream.ports.views import SeriesKey
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.jobs import STARTED, message
from tests.support.projecting import project
from tests.support.servers import wait_until
from tests.support.serving import DEADLINE_SECONDS, asked, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTS = 30_000
LONG = 200 * 1024


@pytest.fixture(scope="module")
def large(filled: Settings) -> Settings:
    """Have a deployment of its own with a long series, and long messages."""
    settings = filled.model_copy(update={"namespace": "large", "data_dir": filled.data_dir / "l"})
    log = open_log(settings)
    chain = Chain("large")
    log.append(chain.add(STARTED))
    for begin in range(0, POINTS, 1_000):
        numbers = range(begin, begin + 1_000)
        log.append(chain.add(*(point(number) for number in numbers)))
    wordy = Chain("wordy")
    log.append(wordy.add(STARTED))
    for number in range(60):
        log.append(wordy.add(message(f"{number} " + "w" * LONG)))
    log.close()
    project(settings)
    return settings


def point(number: int) -> dict[str, Any]:
    values: dict[str, Any] = {"loss": -number if number % 1_000 else "NaN", "plain": number}
    x = {} if number % 7 else {"x": number / 2}
    return {"type": "metrics", "step": None, "values": values, **x}


@pytest.fixture(scope="module")
def wide(large: Settings) -> Iterator[httpx.Client]:
    with asked(create_app(large)) as client:
        yield client


def test_every_point_of_a_long_series_comes_bit_by_bit(wide: httpx.Client, large: Settings) -> None:
    answer = wide.get("/api/jobs/large/metrics", params={"points": 0})
    found = answer.json()
    with closing(open_views(large)) as views:
        for series, name in zip(found["series"], ("loss", "plain"), strict=True):
            whole = views.points("large", SeriesKey(1, 0, None, name))
            assert series["count"] == POINTS
            assert series["position"] == [str(place) for place in whole.positions]
            assert series["time"] == whole.times.tolist()
            assert series["value"][1:1_000] == whole.values[1:1_000].tolist()
            assert series["value"][1_000] == ("NaN" if name == "loss" else 1_000)
            assert [x for x in series["x"] if x is not None] == [
                number / 2 for number in range(0, POINTS, 7)
            ]
    assert "content-length" not in answer.headers
    assert (found["next"], found["x"]) == (None, "step")
    assert found["position"] == series["position"][-1]


def test_many_buckets_are_those_of_few_questions(wide: httpx.Client) -> None:
    asked_for: dict[str, Any] = {"points": 20_000, "x": "index"}

    both = wide.get("/api/jobs/large/metrics", params=asked_for)
    each = [
        wide.get("/api/jobs/large/metrics", params={**asked_for, "name": name}).json()["series"][0]
        for name in ("loss", "plain")
    ]

    assert "etag" not in both.headers
    assert both.json()["series"] == each


def test_a_page_of_messages_is_bounded_in_bytes_and_loses_none(wide: httpx.Client) -> None:
    for side, begin in (("after", "0-0"), ("before", "9999999999999-0")):
        found: list[str] = []
        page: dict[str, Any] = {"has_more": True}
        cursor = begin
        while page["has_more"]:
            answer = wide.get(f"/api/jobs/wordy/messages?limit=1000&{side}={cursor}")
            page = answer.json()
            texts = [one["content"].split()[0] for one in page["messages"]]
            assert len(answer.content) < 45 * LONG
            found = found + texts if side == "after" else texts + found
            cursor = page["messages"][-1 if side == "after" else 0]["position"]
        assert found == [str(number) for number in range(60)]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("", None),
    ],
)
def test_large_answers_are_compressed_as_the_client_takes_it(
    wide: httpx.Client, accepted: str, coding: str | None
) -> None:
    plain = wide.get("/api/jobs/large/metrics", headers={"Accept-Encoding": "identity"}).json()
    request = wide.build_request(
        "GET", "/api/jobs/large/metrics", headers={"Accept-Encoding": accepted}
    )
    answer = wide.send(request, stream=True)
    raw = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == coding
    assert "Accept-Encoding" in answer.headers["vary"]
    if coding == "gzip":
        raw = gzip.decompress(raw)
    if coding == "zstd":
        raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
    assert json.loads(raw)["series"] == plain["series"]


def test_small_answers_and_live_streams_are_not_compressed(wide: httpx.Client) -> None:
    small = wide.get("/healthz", headers={"Accept-Encoding": "gzip"})
    with wide.stream("GET", "/api/jobs/large/live", headers={"Accept-Encoding": "gzip"}) as live:
        assert "content-encoding" not in live.headers
    assert "content-encoding" not in small.headers


def test_a_compressed_table_is_whole(wide: httpx.Client) -> None:
    address = "/api/jobs/large/metrics"
    texts = {
        wide.get(address, headers={"Accept": "text/csv", "Accept-Encoding": coding}).text
        for coding in ("gzip", "zstd", "identity")
    }

    assert [text.count("\n") for text in texts] == [2 * POINTS + 1]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait long."""
    monkeypatch.setattr(connections, "_REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(connections, "_STALL_SECONDS", 0.5)


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: loc", b"HTTP/1.1 408 "),
        (
            b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
            b"HTTP/1.1 408 ",
        ),
    ],
)
def test_a_connection_on_which_no_request_comes_is_closed(
    large: Settings, sent: bytes, said: bytes
) -> None:
    with served(create_app(large)) as port, opened(port) as silent:
        silent.sendall(sent)
        received = b""
        while part := silent.recv(4_096):
            received += part

    assert received[: len(said)] == said
    assert bool(received) == bool(sent)
    if received:
        assert json.loads(received.partition(b"\r\n\r\n")[2])["status"] == 408


@pytest.mark.usefixtures("hasty")
def test_a_reader_that_reads_nothing_is_cut_off_but_never_from_a_live_stream(
    large: Settings,
) -> None:
    app = create_app(large)
    csv = b"GET /api/jobs/large/metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n"
    live = b"GET /api/jobs/wordy/live?after=0-0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(app) as port, opened(port) as reads_nothing, opened(port) as follows:
        follows.sendall(live)
        wait_until(lambda: app.state.hub.clients == 1)
        reads_nothing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reads_nothing.sendall(csv)
        assert reads_nothing.recv(100)
        with pytest.raises(ConnectionError):
            wait_until(lambda: is_cut(reads_nothing))
        assert app.state.hub.clients == 1


def is_cut(reader: socket.socket) -> bool:
    """Tell whether the connection was reset; raises then."""
    reader.sendall(b"\r\n")
    return False


def test_silent_connections_keep_nobody_out(
    large: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.api.server.most_connections", lambda: 30)
    with served(create_app(large)) as port, ExitStack() as stack:
        silent = [stack.enter_context(opened(port)) for _ in range(100)]
        answers = [
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=DEADLINE_SECONDS)
            for _ in range(5)
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert silent[0].recv(1) == b""


def test_one_process_has_one_pool_of_connections_a_database(
    filled: Settings, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(filled.data_dir)  # nobody else names it so
    settings = filled.model_copy(update={"data_dir": tmp_path / "data"})
    paths = ("", "/trained", "/trained?at=1-0", "/trained/metrics", "/trained/events")
    with asked(create_app(settings)) as client:
        with client.stream("GET", "/api/jobs/trained/live") as live:
            next(live.iter_bytes())
        for path in paths:
            assert client.get(f"/api/jobs{path}").status_code in {200, 404}
        client.get("/metrics")
        opened = [one.address for one in gc.get_objects() if isinstance(one, Database)]

    mine = Counter(address for address in opened if address.startswith(str(tmp_path)))
    assert mine == {f"{tmp_path}/data/views/{name}.db": 1 for name in projections()}


def received(port: int, *sent: bytes) -> bytes:
    """Send, and return all that comes until the connection is closed."""
    found = b""
    with opened(port) as client, suppress(ConnectionError):
        for part in sent:
            client.sendall(part)
        while part := client.recv(65_536):
            found += part
    return found


def test_requests_that_come_before_answers_are_answered_in_order_and_are_not_too_many(
    large: Settings,
) -> None:
    ask = b"GET /api/jobs/%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    end = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with served(create_app(large)) as port:
        some = received(port, *(ask % number for number in range(20)), end)
        bomb = received(port, b"".join(ask % number for number in range(5_000)))

        assert re.findall(rb"job '(\d+)' is not", some) == [b"%d" % n for n in range(20)]
        assert some.endswith(b'{"status":"ok"}')
        assert bomb.count(b"HTTP/1.1 404") <= 1
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_who_knows_no_chunks_gets_none(wide: httpx.Client) -> None:
    port, path = wide.base_url.port or 0, "/api/jobs/large/metrics"
    table = wide.get(path, headers={"Accept": "text/csv", "Accept-Encoding": "identity"})
    ask = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n"

    head, _, body = received(port, ask.encode()).partition(b"\r\n\r\n")
    small = received(port, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in head
    assert b"chunked" not in head
    assert body == table.content
    assert b"content-length: 15" in small
    assert small.endswith(b'\r\n\r\n{"status":"ok"}')


def test_who_asks_for_a_head_has_nothing_made(
    wide: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, table = "/api/jobs/large/metrics", {"Accept": "text/csv"}
    got = wide.get(address, headers=table)
    monkeypatch.setattr("consumers.api.answers._in_turns", None)

    told = wide.head(address, headers=table)

    assert (told.status_code, told.content) == (200, b"")
    for name in ("content-type", "content-disposition", "content-encoding", "vary"):
        assert told.headers[name] == got.headers[name]
    assert "content-length" not in told.headers


def test_one_client_has_so_many_live_streams(large: Settings) -> None:
    app = create_app(large)
    app.state.shares.live = Seats(4)
    with asked(app) as client, ExitStack() as open_ones:
        for _ in range(2):
            live = open_ones.enter_context(client.stream("GET", "/api/jobs/large/live"))
            assert live.status_code == 200
        refused = client.get("/api/live")
        assert (refused.status_code, refused.json()["allowed"]) == (429, {"open": 2})
        assert "?streams=" in refused.json()["detail"]
        open_ones.close()
        wait_until(lambda: app.state.hub.clients == 0)
        with client.stream("GET", "/api/live") as live:
            assert live.status_code == 200


def test_as_many_files_are_had_as_may_be() -> None:
    import resource

    most = connections.most_connections()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft in {hard, 65_536}
    assert 256 <= most < soft


def test_numbers_are_given_whatever_is_wrong(filled: Settings, tmp_path: Path) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    (tmp_path / "spool").write_text("no folder")
    app = create_app(filled.model_copy(update={"spool_dir": tmp_path / "spool"}))
    with asked(app) as client:
        whole = client.get("/metrics")
        app.state.sources.store = Broken()
        own = client.get("/metrics")
        client.request("INVENTED", "/api/jobs")
        last = client.get("/metrics")

    assert (whole.status_code, own.status_code) == (200, 200)
    assert 'synapse_stream_up{part="store"} 1.0' in whole.text
    assert 'synapse_stream_up{part="store"} 0.0' in own.text
    assert "process_resident_memory_bytes" in own.text
    assert "INVENTED" not in last.text


def test_pages_of_other_sites_may_read_only_where_that_is_set(filled: Settings) -> None:
    there, other = "https://board.example:8443", "https://evil.example"
    asks = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    shared = filled.model_copy(update={"api_origins": f"https://a.example,{there}"})
    with asked(create_app(filled)) as closed, asked(create_app(shared)) as client:
        answer = client.get("/api/jobs", headers={"Origin": there})
        foreign = client.get("/api/jobs", headers={"Origin": other})
        before = client.options("/api/jobs", headers={"Origin": there, **asks})
        refused = client.options("/api/jobs", headers={"Origin": other, **asks})
        unset = closed.get("/api/jobs", headers={"Origin": there})

    assert answer.headers["access-control-allow-origin"] == there
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers
    assert before.status_code == 200
    assert "authorization" in before.headers["access-control-allow-headers"].lower()
    assert refused.status_code == 400
    for one in (foreign, unset):
        assert "access-control-allow-origin" not in one.headers
        assert one.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("origins", ["*", "https://a/", "a.example", "https://a, https://b"])
def test_origins_that_are_none_are_refused(origins: str) -> None:
    with pytest.raises(ConfigError, match="API_ORIGINS"):
        Settings.load({"SYNAPSE_STREAM_API_ORIGINS": origins})
