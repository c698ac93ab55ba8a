"""The wire of the Synapse SDK: what its loggers send is recorded once, and in order."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from consumers.api.ingest import recorder
from synapse_stream import JobStream
from synapse_stream.errors import LogUnavailable
from synapse_stream.events.types import End, Log, Loss, Message, Metrics, Progress
from synapse_stream.log.ingesting import IngestLog
from tests.support import doors
from tests.support.doors import Door, token
from tests.support.projecting import project
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.events.types import Event
    from synapse_stream.log.ingesting import Kept
    from tests.support.servers import TestServer

BEGIN = datetime(2026, 11, 29, 15, 47, 28, tzinfo=UTC)
OF_THE_BACKEND = "a backend's own token, 0123456789abcdef"


@pytest.fixture(scope="module")
def backend() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], bytes]]]]:
    """Answer as a real backend, and keep what is asked."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path, dict(self.headers.items()), body))
            self.send_response(307 if "moved" in self.path else 201)
            self.send_header("Location", "http://elsewhere/")
            self.send_header("X-Own", "yes")
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"own")

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


@pytest.fixture(scope="module")
def door(
    own_server: TestServer, tmp_path_factory: pytest.TempPathFactory, backend: tuple[str, Any]
) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("synapse")
    digest = sha256(OF_THE_BACKEND.encode()).hexdigest()
    listed = json.dumps([{"name": "plugins", "append": True, "sha256": digest}])
    more: dict[str, Any] = {"api_tokens": SecretStr(listed), "synapse_backend": backend[0]}
    with doors.opened(own_server, home, namespace="synapse-sdk", **more) as opened:
        yield opened


@pytest.fixture(scope="module")
def sdk(door: Door) -> Iterator[httpx.Client]:
    """Ask as the SDK does."""
    headers = {"Synapse-Access-Token": f"Token {token()}"}
    where = f"{door.url}/ingest/synapse"
    with httpx.Client(base_url=where, headers=headers, timeout=30) as client:
        yield client


def entry(job: str, number: int, **more: Any) -> dict[str, Any]:
    when = (BEGIN + timedelta(microseconds=number)).isoformat()
    return {"event": "ev", "data": {"i": number}, "datetime": when, "job": job, **more}


def send(client: httpx.Client, method: str, path: str, content: Any) -> int:
    """Send JSON as Python's own encoder writes it: not finite numbers come bare."""
    body = json.dumps(content)
    headers = {"Content-Type": "application/json"}
    answer = client.request(method, path, content=body, headers=headers)
    assert answer.status_code != 500, answer.text
    return answer.status_code


def post(client: httpx.Client, *entries: dict[str, Any]) -> int:
    return send(client, "POST", "/logs/", entries[0] if len(entries) == 1 else list(entries))


def patch(client: httpx.Client, job: str, **content: Any) -> int:
    return send(client, "PATCH", f"/jobs/{job}/", content)


def steps(**percents: float) -> dict[str, Any]:
    parts = {name: {"percent": value, "time_remaining": 0.0} for name, value in percents.items()}
    return {"record": {"steps": parts}, "current_progress": {"overall": 1.0}}


def metrics(**values: Any) -> dict[str, Any]:
    return {"record": {"steps": {"train": values}}}


def events(door: Door, job: str) -> list[Event]:
    return [recorded.event for recorded in JobStream(job, door.settings).read()]


def numbers(door: Door, job: str) -> list[int]:
    return [one.data["i"] for one in events(door, job) if isinstance(one, Log)]


def test_a_run_of_the_sdk_is_recorded_as_its_own_words_mean_it(
    door: Door, sdk: httpx.Client
) -> None:
    job = "7d0c0c0e-1111-4222-8333-444455556666"
    done = [
        patch(sdk, job, status="RUNNING"),
        patch(sdk, job, status="RUNNING"),  # from the submitter
        patch(sdk, job, progress_record=steps(train=33.33)),
        post(
            sdk,
            entry(job, 0, event="message", data={"content": "hello", "key": "K"}, level="warning"),
            entry(job, 1, event="metric", data={"category": "train", "key": "loss", "value": 0.5}),
            entry(job, 2, event="dev_event", data={"message": "state", "data": {"x": 1}}),
            entry(job, 3, event="ev", data={"v": float("inf")}, step="train"),
        ),
        post(sdk, entry(job, 4, file="data:image/png;base64,iVBORw0K", level="info")),
        patch(sdk, job, metrics_record=metrics(loss=float("nan"))),
        patch(sdk, job, metrics_record=metrics(loss=float("nan"), acc=1)),
        patch(sdk, job, progress_record=steps(train=100.0, upload=0.0)),
        patch(sdk, job, status="SUCCEEDED", progress_record=steps(train=100.0), result={"n": 3}),
    ]
    found = events(door, job)
    project(door.settings)
    state = JobStream(job, door.settings).state()

    assert set(done) == {200}
    assert [(event.type, event.step) for event in found] == [
        ("run_started", None),
        ("progress", "train"),
        ("message", None),
        ("metrics", "train"),
        ("dev_event", None),
        ("log", "train"),
        ("log", None),
        ("metrics", "train"),
        ("metrics", "train"),
        ("progress", "train"),
        ("progress", "upload"),
        ("end", None),
    ]
    said = [event for event in found if isinstance(event, Message)]
    assert [(e.content, e.key, e.level) for e in said] == [("hello", "K", "warning")]
    assert said[0].time == int(BEGIN.timestamp() * 1e6)
    logs = [event for event in found if isinstance(event, Log)]
    assert logs[0].data == {"v": float("inf")}
    assert logs[1].file == "data:image/png;base64,iVBORw0K"
    values = [event.values for event in found if isinstance(event, Metrics)]
    assert [sorted(each) for each in values] == [["loss"], ["loss"], ["acc"]]
    percents = [(e.current, e.total) for e in found if isinstance(e, Progress)]
    assert percents == [(33.33, 100), (100, 100), (0, 100)]
    assert state is not None
    assert (state.status, state.latest.result) == ("completed", {"n": 3})
    assert state.latest.completeness.status == "complete"


def test_bodies_that_overlap_are_taken_once_and_in_order(door: Door, sdk: httpx.Client) -> None:
    """What was refused comes again in front of what is newer."""
    for first, last in ((0, 194), (0, 200), (194, 450), (100, 1000), (0, 1000)):
        assert post(sdk, *(entry("overlap", n) for n in range(first, last))) == 200

    assert numbers(door, "overlap") == list(range(1000))


def test_equal_entries_of_one_body_are_several(door: Door, sdk: httpx.Client) -> None:
    twice = [entry("equal", 7), entry("equal", 7), entry("equal", 8)]
    assert {post(sdk, *twice), post(sdk, *twice)} == {200}

    assert numbers(door, "equal") == [7, 7, 8]


def test_what_proxies_send_several_times_through_several_processes_is_there_once(
    door: Door, sdk: httpx.Client
) -> None:
    with ExitStack() as stack:
        clients = [sdk]
        for _ in range(2):
            port = stack.enter_context(served(create_app(door.settings)))
            where = f"http://127.0.0.1:{port}/ingest/synapse"
            clients.append(httpx.Client(base_url=where, headers=sdk.headers, timeout=30))
            stack.callback(clients[-1].close)
            assert post(clients[-1]) == 200  # its routes are made by the first request
        random = Random(1)
        with ThreadPoolExecutor(6) as pool:
            for first in range(0, 600, 30):
                body = [entry("replayed", n) for n in range(first, first + 30)]
                again = [random.choice(clients) for _ in range(6)]
                assert set(pool.map(lambda client, body=body: post(client, *body), again)) == {200}
            ends = pool.map(
                lambda client: patch(
                    client, "replayed", status="SUCCEEDED", progress_record=steps(), result={}
                ),
                clients,
            )
            assert set(ends) == {200}

    assert numbers(door, "replayed") == list(range(600))
    assert [event.type for event in events(door, "replayed")].count("end") == 1
    assert [event.type for event in events(door, "replayed")].count("run_started") == 1


def test_the_first_end_counts_and_what_comes_behind_it_is_kept_beside(
    door: Door, sdk: httpx.Client
) -> None:
    job = "ended"
    final = {"status": "SUCCEEDED", "progress_record": steps(), "result": {"n": 1}}
    patch(sdk, job, status="RUNNING")
    patch(sdk, job, **final)
    patch(sdk, job, **final)  # by a proxy
    patch(sdk, job, status="FAILED", result={"error": "the last 500 characters"})
    patch(sdk, job, status="FAILED", result={"error": "the last 500 characters"})
    patch(sdk, job, status="RUNNING")  # the submitter looks seldom
    post(sdk, entry(job, 1), entry(job, 2))
    post(sdk, entry(job, 1), entry(job, 2), entry(job, 3))
    project(door.settings)
    state = JobStream(job, door.settings).state()
    found = events(door, job)

    assert state is not None
    assert (state.status, len(state.attempts)) == ("completed", 1)
    assert state.latest.completeness.status == "complete"
    logs = [event for event in found if isinstance(event, Log)]
    assert [one.event for one in logs] == ["status behind the end", "ev", "ev", "ev"]
    assert logs[0].data["result"] == {"error": "the last 500 characters"}

    patch(sdk, job, **{**final, "status": "FAILED", "result": {"error": "boom"}})
    project(door.settings)
    again = JobStream(job, door.settings).state()
    assert again is not None
    assert (again.latest.number, again.status, again.latest.error) == (2, "failed", "boom")


@pytest.mark.parametrize(
    ("status", "result", "ended"),
    [
        ("FAILED", {"error": "no such image"}, ("failed", "no such image")),
        ("STOPPED", None, ("cancelled", None)),
    ],
)
def test_a_job_of_which_only_the_end_is_told_has_one(
    door: Door, sdk: httpx.Client, status: str, result: Any, ended: tuple[str, str | None]
) -> None:
    content = {"status": status, "result": result} if result else {"status": status}
    assert patch(sdk, f"only-{status}", **content) == 200

    (end,) = [event for event in events(door, f"only-{status}") if isinstance(event, End)]
    assert (str(end.status), end.error) == ended


def test_what_the_sdk_lost_is_told_by_the_run(door: Door, sdk: httpx.Client) -> None:
    patch(sdk, "lossy", status="RUNNING")
    data = {"message": "3 dropped", "dropped": 2, "unsent": 1, "delivery_unconfirmed": 0}
    post(sdk, entry("lossy", 1, event="joblog_loss", data=data))
    unknown = {**data, "dropped": 0, "unsent": 0, "delivery_unconfirmed": 5}
    post(sdk, entry("lossy", 2, event="joblog_loss", data=unknown))
    losses = [event for event in events(door, "lossy") if isinstance(event, Loss)]

    assert [(one.counts, one.uncounted) for one in losses] == [({"log": 3}, False), ({}, True)]
    assert "5 more" in losses[1].reason
    project(door.settings)
    state = JobStream("lossy", door.settings).state()
    assert state is not None
    assert state.latest.completeness.status == "shed"


def test_a_server_that_is_away_is_waited_for_and_then_said_to_be(
    door: Door, sdk: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(recorder, "_PATIENCE_SECONDS", 0.3)
    away = door.settings.model_copy(
        update={"redis_url": "redis://127.0.0.1:9", "data_dir": tmp_path}
    )
    with served(create_app(away)) as port:
        where = f"http://127.0.0.1:{port}/ingest/synapse"
        with httpx.Client(base_url=where, headers=sdk.headers, timeout=30) as client:
            answer = client.post("/logs/", json=entry("away", 1))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_what_is_no_report_is_refused_and_recorded_nowhere(door: Door, sdk: httpx.Client) -> None:
    def status(method: str, path: str, body: bytes) -> int:
        return sdk.request(method, path, content=body).status_code

    assert status("POST", "/logs/", b"{") == 400
    assert status("POST", "/logs/", b"[" * 100_000) == 400
    assert status("POST", "/logs/", b'[{"event":"x"}]') == 422
    assert status("POST", "/logs/", b'{"event":"x","data":1,"job":"a/b"}') == 422
    assert status("PATCH", "/jobs/odd/", b"[]") == 422
    assert status("POST", "/logs/", b"[]") == 200
    odd = {"progress_record": {"record": {"steps": {"a": {"percent": None}, "b": 5}}}}
    assert patch(sdk, "odd", **odd, metrics_record={"record": [1]}, meta={"k": "v"}) == 200
    assert patch(sdk, "odd", **odd, metrics_record=None, console_logs="text") == 200
    weird = entry("odd", 1) | {"datetime": "yesterday", "data": None, "event": 7, "level": []}
    assert post(sdk, weird) == 200
    assert [event.type for event in events(door, "odd")] == ["run_started", "log", "log", "log"]


def test_nothing_is_ever_redirected(door: Door, sdk: httpx.Client) -> None:
    for path in ("/logs", "/logs/", "/logs/?url_host=internal.host"):
        assert sdk.post(path, json=entry("slash", 1)).status_code == 200
    for path in ("/jobs/slash", "/jobs/slash/", "/jobs/slash/?url_host=internal.host"):
        assert sdk.patch(path, json={"status": "RUNNING"}).status_code == 200

    assert numbers(door, "slash") == [1]


def test_everything_else_is_passed_on_to_the_backend_as_it_came(
    door: Door, sdk: httpx.Client, backend: tuple[str, list[Any]]
) -> None:
    asked = backend[1]
    asked.clear()
    own = {"Authorization": f"Token {OF_THE_BACKEND}", "Synapse-Tenant": "Token acme"}
    where = f"{door.url}/ingest/synapse"
    with httpx.Client(base_url=where, headers=own) as plugin:
        answer = plugin.post("/v2/assets/?q=%2F&q=b", content=b"\0body")
        moved = plugin.get("/moved/")
        assert plugin.get("/jobs/7/").status_code == 201
        assert plugin.patch("/jobs/own/", json={"status": "RUNNING"}).status_code == 200
    with_ours = sdk.delete("/things/1/")
    climbing = sdk.get("/%2e%2e/secret", extensions={"target": b"/ingest/synapse/../secret"})

    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (201, b"own", "yes")
    assert (moved.status_code, moved.headers["location"]) == (307, "http://elsewhere/")
    assert [(method, path) for method, path, *_ in asked] == [
        ("POST", "/v1/v2/assets/?q=%2F&q=b"),
        ("GET", "/v1/moved/"),
        ("GET", "/v1/jobs/7/"),
        ("DELETE", "/v1/things/1/"),
    ]
    _, _, headers, body = asked[0]
    assert (headers["authorization"], headers["synapse-tenant"], body) == (
        *(own["Authorization"], own["Synapse-Tenant"]),
        b"\0body",
    )
    assert with_ours.status_code == 201
    assert not {"synapse-access-token", "authorization"} & asked[3][2].keys()
    assert climbing.status_code == 404


def test_without_a_backend_other_paths_say_what_is_missing(
    door: Door, sdk: httpx.Client, tmp_path: Any
) -> None:
    alone = door.settings.model_copy(update={"synapse_backend": None})
    with served(create_app(alone)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/ingest/synapse/x/", headers=sdk.headers)
    assert answer.status_code == 404
    assert "SYNAPSE_STREAM_SYNAPSE_BACKEND" in answer.json()["detail"]


def test_a_token_is_taken_as_the_sdk_sends_it_and_there_only(door: Door) -> None:
    where = f"{door.url}/ingest/synapse"
    mine = token("mine")

    def status(path: str, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if path.startswith("/api"):
            return httpx.get(f"{door.url}{path}", headers=named).status_code
        return httpx.post(f"{where}{path}", headers=named, json=entry("mine", 1)).status_code

    assert status("/logs/", Synapse_Access_Token=f"Token {mine}") == 200
    assert status("/logs/", Authorization=f"Token {mine}", Synapse_Tenant="Token t") == 200
    assert status("/logs/", SYNAPSE_Agent=f"Token {mine}") == 200
    assert status("/logs/") == 401
    assert status("/logs/", Synapse_Access_Token="Token wrong") == 401
    assert status("/logs/", Synapse_Access_Token=f"Token {token('other')}") == 403
    assert status("/logs/", Synapse_Access_Token=f"Token {token(role='viewer')}") == 403
    assert status("/api/deployment", Authorization=f"Token {mine}") == 401
    assert status("/api/deployment", Synapse_Access_Token=f"Token {mine}") == 401
    assert status("/api/deployment", Authorization=f"Bearer {mine}") == 200


class Lossy(IngestLog):
    """A server whose answers are lost, and to which commands are lost."""

    random = Random(7)

    def append_kept(self, batch: Batch, kept: Kept) -> Ack:
        if self.random.random() < 0.3:
            raise LogUnavailable("the command was lost")
        ack = super().append_kept(batch, kept)
        if self.random.random() < 0.3:
            raise LogUnavailable("the answer was lost")
        return ack


def test_commands_and_answers_that_are_lost_on_the_way_to_the_server_change_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_PAUSE_SECONDS", 0.0)
    with closing(Lossy.open(door.settings)) as log:
        recording = recorder.Recorder(log, ())

        def change(**content: Any) -> None:
            recording.change("lost", content, json.dumps(content).encode(), "here")

        change(status="RUNNING")
        for first in range(0, 200, 10):
            recording.add_entries("lost", [entry("lost", first + n) for n in range(10)], "here")
            change(progress_record=steps(train=first / 2), metrics_record=metrics(loss=first))
        change(status="SUCCEEDED", progress_record=steps(train=100))
        recording.add_entries("lost", [entry("lost", 200)], "here")
    found = events(door, "lost")

    assert numbers(door, "lost") == list(range(201))
    assert [e.values["loss"] for e in found if isinstance(e, Metrics)] == list(range(0, 200, 10))
    percents = [e.current for e in found if isinstance(e, Progress)]
    assert percents == [*(first / 2 for first in range(0, 200, 10)), 100]
    ends = [event.status for event in found if isinstance(event, End)]
    assert ends == ["completed", None]


def test_secrets_are_masked_on_this_way_too(door: Door, sdk: httpx.Client) -> None:
    post(sdk, entry("secret", 1, event="message", data={"content": "password=hunter2hunter2"}))

    (said,) = [event for event in events(door, "secret") if isinstance(event, Message)]
    assert "hunter2" not in said.content
