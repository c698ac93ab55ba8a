"""Reading over HTTP: a host that has an address and a token, and neither server nor store."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream import JobStream, open_run
from synapse_stream.entries.position import Position
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.events.types import Metrics, Undecodable
from synapse_stream.log.event_log import open_log
from synapse_stream.reading.job_views import opened
from synapse_stream.settings import PREFIX, Settings
from tests.support.commands import command
from tests.support.doors import SECRET, Door, token
from tests.support.jobs import HOSTILE, LONG, SLASHED
from tests.support.projecting import project
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.commands import Said

__all__ = ["command"]

JOBS = ["trained", "running", "again", "taken", "asked", "-", SLASHED, LONG, HOSTILE, "nobody"]


@pytest.fixture(scope="module")
def door(filled: Settings) -> Iterator[Door]:
    """Serve the filled deployment to those who have a token."""
    closed = filled.model_copy(update={"token_secret": SecretStr(SECRET)})
    with served(create_app(closed)) as port:
        yield Door(filled, port)


@pytest.fixture
def far(door: Door, tmp_path: Path) -> Settings:
    """Reach it from a host that has nothing of it."""
    return door.plugin(tmp_path, token(role="developer"))


def both(door: Door, far: Settings, job: str) -> tuple[JobStream, JobStream]:
    return JobStream(job, door.settings), JobStream(job, far)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_reads_the_same_over_http_as_from_server_and_store(
    door: Door, far: Settings, job: str
) -> None:
    near, distant = both(door, far, job)
    state, events = near.state(), list(near.read())
    metrics = list(near.metrics())
    kinds = ("message", "dev_event", "log")

    assert distant.state() == state
    assert list(distant.messages(kinds=kinds)) == list(near.messages(kinds=kinds))
    assert [series.key for series in distant.metrics()] == [series.key for series in metrics]
    for one, other in zip(metrics, distant.metrics(), strict=True):
        assert other.to_numpy().tobytes() == one.to_numpy().tobytes()
        assert (other.xs is None, other.positions) == (one.xs is None, one.positions)
    for recorded, seen in zip(events, distant.read(), strict=True):
        assert (seen.position, seen.producer) == (recorded.position, recorded.producer)
        if not isinstance(recorded.event, Undecodable):
            assert seen == recorded
        else:  # in whose words it cannot be read may differ
            assert isinstance(seen.event, Undecodable)
            same = (recorded.event.seq, recorded.event.time)
            assert (seen.event.seq, seen.event.time) == same


def test_parts_of_a_job_read_the_same(door: Door, far: Settings) -> None:
    near, distant = both(door, far, "trained")
    places = [found.position for found in near.read()]
    after, until = places[40], places[300]
    chosen: dict[str, Any] = {"levels": ["warning"], "after": after}

    assert list(distant.read(after, until)) == list(near.read(after, until))
    assert list(distant.messages(**chosen)) == list(near.messages(**chosen))
    assert [one.content for one in distant.messages(language="ko", text="Done")] == ["120 만에 끝"]
    for at in (until, near.state().attempts[0].started + 1):  # type: ignore[union-attr]
        assert distant.state(at) == near.state(at)
    assert distant.state(Position(1, 0)) is None
    frames = distant.metrics().to_pandas(), near.metrics().to_pandas()
    assert frames[0].equals(frames[1])
    loss = distant.metric("loss", step="fit")
    assert loss.to_numpy().tobytes() == near.metric("loss").to_numpy().tobytes()
    with pytest.raises(LookupError, match="it has 'accuracy', 'loss'"):
        distant.metric("nothing")
    assert abs(distant.now_ms() - near.now_ms()) < 60_000


def test_the_list_and_what_a_terminal_draws_are_the_same(door: Door, far: Settings) -> None:
    with opened(door.settings) as near, opened(far) as distant:
        listed = near.jobs(limit=5)
        assert distant.jobs(limit=5) == listed
        assert distant.jobs(after=listed[-1].job_id) == near.jobs(after=listed[-1].job_id)
        assert distant.jobs(text="trai") == near.jobs(text="trai")
        with pytest.raises(ValueError, match="nobody"):
            distant.jobs(after="nobody")
        for summary in near.series("trained"):
            drawn = distant.overview("trained", summary.key, buckets=7)
            assert repr(drawn) == repr(near.overview("trained", summary.key, buckets=7))
            assert repr(drawn.buckets) == repr(
                near.overview("trained", summary.key, buckets=7).buckets
            )
        keys = [one.key for one in near.series(HOSTILE)]
        assert [one.key for one in distant.series(HOSTILE, after=keys[3], limit=5)] == keys[4:9]
        for view in ("run-state", "message-feed", "metric-history"):
            assert distant.position(view, "trained") == near.position(view, "trained")
            assert distant.position(view, "nobody") is None


def test_who_may_only_view_reads_what_viewers_get(door: Door, tmp_path: Path) -> None:
    viewer = JobStream("trained", door.plugin(tmp_path, token("trained", role="viewer")))
    near = JobStream("trained", door.settings)

    assert viewer.state() == near.state()
    assert {found.event.type for found in viewer.read()} == {
        *("run_started", "progress", "metrics", "message", "end"),
    }
    assert list(viewer.messages()) == list(near.messages())
    with pytest.raises(LogUnavailable, match=r"dev events are for developers.*SYNAPSE_STREAM_TOK"):
        list(viewer.messages(kinds=("dev_event",)))
    other = JobStream("running", door.plugin(tmp_path, token("trained", role="viewer")))
    assert (other.state(), list(other.read())) == (None, [])


def test_a_run_is_followed_to_its_end_and_from_any_place(filled: Settings, tmp_path: Path) -> None:
    """The tail begins before there is such a job."""
    closed = _of_its_own(filled, "followed", tmp_path)
    seen: list[Any] = []
    with served(create_app(closed)) as port:
        far = Door(closed, port).plugin(tmp_path, token(role="developer"))
        tail = JobStream("followed", far).tail()
        thread = threading.Thread(target=lambda: seen.extend(tail), daemon=True)
        thread.start()
        with open_run("followed", settings=closed, env={}) as ctx:
            for loss in range(500):
                ctx.set_metrics({"loss": loss})
                if loss % 100 == 0:
                    ctx.flush(20)
        thread.join(30)
        recorded = list(JobStream("followed", closed).read())

        assert not thread.is_alive()
        assert seen == recorded
        project(closed)
        for place in (recorded[250].position, recorded[-1].position):
            rest = list(JobStream("followed", far).tail(place))
            assert rest == [found for found in recorded if found.position > place]


def _of_its_own(filled: Settings, name: str, folder: Path) -> Settings:
    """Return a deployment that others do not read, with a secret for tokens."""
    own = {"namespace": name, "data_dir": folder / "own"}
    return filled.model_copy(update={"token_secret": SecretStr(SECRET), **own})


def test_a_tail_outlives_its_api_and_repeats_nothing(filled: Settings, tmp_path: Path) -> None:
    closed = _of_its_own(filled, "outlived", tmp_path)
    ctx = open_run("outlived", settings=closed, env={})
    seen: list[Any] = []
    with served(create_app(closed)) as port:
        far = Door(closed, port).plugin(tmp_path, token(role="developer"))
        tail = JobStream("outlived", far).tail()
        ctx.set_metrics({"loss": 0})
        ctx.flush(20)
        seen += [next(tail), next(tail)]
    ctx.set_metrics({"loss": 1})
    ctx.end_log()
    thread = threading.Thread(target=lambda: seen.extend(tail), daemon=True)
    thread.start()
    with served(create_app(closed), port):
        thread.join(30)
    recorded = list(JobStream("outlived", closed).read())

    assert not thread.is_alive()
    assert seen == recorded
    assert [e.event.values["loss"] for e in seen if isinstance(e.event, Metrics)] == [0, 1]


class Answering(BaseHTTPRequestHandler):
    """Answers by a problem, some times."""

    status, headers_too, times = 429, {"Retry-After": "0"}, 10**9
    asked = 0

    def do_GET(self) -> None:
        kind = type(self)
        kind.asked += 1
        is_refused = kind.asked <= self.times
        body = b'{"detail": "no, and why"}' if is_refused else b'{"now_ms": 12}'
        self.send_response(self.status if is_refused else 200)
        content = {"Content-Type": "application/problem+json", "Content-Length": str(len(body))}
        for name, value in {**content, **self.headers_too}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses: no, and why; SYNAPSE_STREAM_TOKEN takes a token, or @ and the file"),
        (403, "refuses: no, and why; set SYNAPSE_STREAM_TOKEN to a token that may"),
        (429, "refuses: no, and why"),
        (503, "refuses: no, and why"),
    ],
)
def test_what_an_api_refuses_is_said_with_what_to_do(
    tmp_path: Path, status: int, said: str
) -> None:
    Said = type("Said", (Answering,), {"status": status, "headers_too": {}})  # noqa: N806
    with ThreadingHTTPServer(("127.0.0.1", 0), Said) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        far = Settings(url=f"http://127.0.0.1:{server.server_port}", data_dir=tmp_path)
        for ask in (JobStream("job", far).state, lambda: next(JobStream("job", far).tail())):
            with pytest.raises(LogUnavailable, match=said):
                ask()
        server.shutdown()


def test_who_is_told_to_wait_waits_and_asks_again(tmp_path: Path) -> None:
    Said = type("Said", (Answering,), {"times": 2, "headers_too": {"Retry-After": "1"}})  # noqa: N806
    with ThreadingHTTPServer(("127.0.0.1", 0), Said) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        far = Settings(url=f"http://127.0.0.1:{server.server_port}", data_dir=tmp_path)
        assert JobStream("job", far).now_ms() == 12
        server.shutdown()
    assert Said.asked == 3  # type: ignore[attr-defined]


def test_what_only_server_and_store_have_is_said_to_be_there(tmp_path: Path) -> None:
    far = Settings(url="http://127.0.0.1:9", data_dir=tmp_path)
    with pytest.raises(LogUnavailable, match=r"http://127.0.0.1:9 cannot be reached.*state of job"):
        JobStream("job", far).state()
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_REDIS_URL"):
        next(JobStream("job", far).entries())
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_REDIS_URL"):
        open_log(far)


@pytest.fixture
def environment(far: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point the command to the API."""
    given = {"url": str(far.url), "token": str(far.token), "data_dir": str(far.data_dir)}
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    return dict(os.environ)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("jobs",), "trained"),
        (("show", "trained"), "completed"),
        (("metrics", "trained"), "accuracy"),
        (("messages", "trained", "-f"), "Done in 120"),
        (("watch", "trained", "--json"), '"status":"completed"'),
        (("events", "trained", "-f", "--type", "end"), "status=completed"),
        (("export", "trained", "-o", "-", "--format", "csv"), "run_started"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_commands_read_over_http(
    command: Callable[..., Said], words: tuple[str, ...], said: str
) -> None:
    done = command(*words)

    assert done.code == 0, done
    assert said in done.out


def test_commands_say_no_plainly_over_http(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = command("show", "trainde")
    elsewhere = command("verify", "trained")
    monkeypatch.setenv("SYNAPSE_STREAM_TOKEN", "wrong")
    untold = command("jobs")

    assert "as far as this token sees; did you mean 'trained'?" in unknown.err
    assert "this is nobody's token" in untold.err
    assert "SYNAPSE_STREAM_TOKEN takes a token" in untold.err
    assert "SYNAPSE_STREAM_REDIS_URL in its place" in elsewhere.err
    assert (unknown.code, untold.code, elsewhere.code) == (1, 1, 2)
