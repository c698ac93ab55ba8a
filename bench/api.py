"""Answers over HTTP: a job, the first page of a long feed, the overview of a long series."""

from __future__ import annotations

import http.client
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from bench.figures import Bound, Row, percentile
from bench.stage import Stage, time_calls
from bench.streams import metrics, mixed, run
from consumers.folding.fold import JobFold
from consumers.store.jobs import JobWrite
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.opening import open_store
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.settings import PREFIX
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.streams import Line
    from consumers.store.lease import Lease
    from consumers.store.store import Store
    from synapse_stream import Settings
    from synapse_stream.ports.job_view import JobView

JOB = "run"
BATCH = 100
BATCHES_A_COMMIT = 200
ASKED = 200
BUCKETS = 1_000
YARDSTICK = "/healthz"


def rows(stage: Stage) -> Iterator[Row]:
    """The p95 of each answer, beside that of the emptiest one."""
    points, texts = 5 * stage.scale.events, stage.scale.events // 2
    settings = stage.settings(store_url=f"sqlite:///{stage.root}/api")
    with closing(open_store(settings)) as store:
        _fill(store, RunStateView, mixed, 10_000)
        _fill(store, MessageFeedView, _message, texts + 1)
        _fill(store, MetricHistoryView, metrics, points + 1)
    where = f"/api/jobs/{JOB}"
    overview = f"{where}/metrics?name=loss&points={2 * BUCKETS}"
    with _served(stage, settings) as server:
        assert _get(server, where)["latest"] == 1
        assert len(_get(server, f"{where}/messages")["messages"]) == 100
        series = _get(server, overview)["series"][0]
        assert series["in_view"] == points
        assert BUCKETS / 2 < len(series["buckets"]["last"]) <= BUCKETS
        for what, path, limit in (
            ("GET job", where, 10),
            (f"first page of {texts:,} messages", f"{where}/messages", 20),
            (f"overview, {BUCKETS:,} buckets of {points:,} points", overview, 50),
        ):
            turns = [
                (_p95(server, path), _p95(server, YARDSTICK)) for _ in range(stage.scale.rounds)
            ]
            took, least = zip(*turns, strict=True)
            yield Row(f"{what}, p95", "ms", took, least, YARDSTICK, Bound(limit, on="ours"))


def _p95(server: http.client.HTTPConnection, path: str) -> float:
    return percentile(time_calls(_read, [(server, path)] * ASKED), 0.95) / 1e3


def _read(server: http.client.HTTPConnection, path: str) -> bytes:
    server.request("GET", path)
    answer = server.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return body


def _get(server: http.client.HTTPConnection, path: str) -> Any:
    return orjson.loads(_read(server, path))


def _message(number: int, time_us: int) -> str:
    head = f'{{"seq":{number},"time":{time_us},"type":"message","v":1'
    return f'{head},"content":"Batch {number} is done","level":"info","step":"training"}}'


def _fill(store: Store, view: type[JobView], line: Line, events: int) -> None:
    """Store the view of one run, as a consumer does: in many commits, then compacted."""
    lease = store.leases.acquire(view.name, 0, "bench", 600.0)
    assert lease is not None
    fold = JobFold(view, JOB, None)
    for number, batch in enumerate(run(JOB, events, BATCH, line), 1):
        assert fold.apply(RecordedBatch(number, 0, batch)) == []
        if number % BATCHES_A_COMMIT == 0:
            _commit(store, lease, fold)
    _commit(store, lease, fold)
    while store.compact(lease, rested_seconds=0.0):
        pass
    store.leases.release(lease)


def _commit(store: Store, lease: Lease, fold: JobFold) -> None:
    write = JobWrite(fold.job_id, fold.document(), fold.rows(), (1, 0))
    store.commit(lease, (0, 0), [write], [], 600.0)


@contextmanager
def _served(stage: Stage, settings: Settings) -> Iterator[http.client.HTTPConnection]:
    """Start the API in a process of its own; yield a connection to it."""
    port = free_port()
    shown = settings.model_dump(exclude_none=True)
    environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    command = [sys.executable, "-m", "consumers.api", "--no-token", "--port", str(port)]
    log = stage.root / "answers.log"
    with log.open("wb") as file, subprocess.Popen(command, env=environ, stderr=file) as process:
        server = http.client.HTTPConnection("127.0.0.1", port)
        try:
            wait_until(lambda: process.poll() is not None or _answers(server))
            yield server
        finally:
            server.close()
            process.terminate()
            assert process.wait(10) == 0, f"the API did not leave well: {log.read_text()}"


def _answers(server: http.client.HTTPConnection) -> bool:
    try:
        return bool(_read(server, YARDSTICK))
    except OSError:
        server.close()
        return False
