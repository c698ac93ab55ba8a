"""Reports over HTTP: what the API takes a core, the way through it against that to the server."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import orjson
import psutil
import urllib3

from bench.figures import Bound, Row, percentile
from bench.live import paced
from bench.stage import STEP, Stage, metric_texts, metric_values
from synapse_stream import Settings, open_run
from synapse_stream.remote.log import RemoteLog
from synapse_stream.remote.tokens import Role, issue, sign
from synapse_stream.settings import PREFIX
from tests.support.chains import Chain
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a secret of 32 characters or more"
BATCHES = (100, 5_000)
VISIBLE_A_SECOND = 100
WARM_UP = 50


class Api(NamedTuple):
    url: str
    process: psutil.Process

    def settings(self, stage: Stage) -> Settings:
        token = sign(issue("bench", 3600, append=True, role=Role.OPERATOR), SECRET)
        return Settings(url=self.url, token=token, data_dir=stage.root / "plugin")

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


def rows(stage: Stage) -> Iterator[Row]:
    """Events a second of the API's core, both transports in turns, and emit until visible."""
    with served(stage) as api:
        for size in BATCHES:
            rates = [_appended(stage, api, size) for _ in range(stage.scale.rounds)]
            bound = Bound(50_000, on="ours", is_floor=True)
            what = f"API, until acknowledged, batches of {size:,}, a core"
            yield Row(what, "events/s", rates, bound=bound)
        turns = [
            (_reported(stage, api.settings(stage)), _reported(stage, stage.settings()))
            for _ in range(stage.scale.rounds)
        ]
        ours, theirs = zip(*turns, strict=True)
        yield Row("emitted → acknowledged, over HTTP", "events/s", ours, theirs, "over Redis")
        delays = [_seen(stage, api) for _ in range(stage.scale.rounds)]
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            took = [percentile(each, share) for each in delays]
            what = f"set_metrics over HTTP → live stream over HTTP, {VISIBLE_A_SECOND}/s, {name}"
            yield Row(what, "ms", took)


def _appended(stage: Stage, api: Api, size: int) -> float:
    """Send batches that are made before; return events a second of the API's CPU."""
    chain = Chain(stage.new_job())
    texts = [text.partition(",")[2] for text in metric_texts(size)]
    for _ in range(max(3, stage.scale.events // size // 4)):
        first = chain.last + 1
        lines = (f'{{"seq":{first + n},{text}\n' for n, text in enumerate(texts))
        chain.add_data("".join(lines).encode(), size)
    with closing(RemoteLog(api.settings(stage))) as log:
        log.check()
        before = api.cpu_seconds()
        for batch in chain.batches:
            assert log.append(batch).last == batch.last
        return len(chain.batches) * size / (api.cpu_seconds() - before)


def _reported(stage: Stage, settings: Settings) -> float:
    count = stage.scale.events
    values = list(metric_values(count))
    with open_run(stage.new_job(), env={}, settings=settings) as context:
        assert context.flush(60)
        start = time.perf_counter()
        for each in values:
            context.set_metrics(each, STEP)
        assert context.flush(60)
        seconds = time.perf_counter() - start
        job_id = context.job_id
    assert job_id is not None
    numbers = stage.numbers(job_id)
    assert numbers == list(range(len(numbers))), "not exactly once, in order"
    assert len(numbers) >= count
    return count / seconds


def _seen(stage: Stage, api: Api) -> list[float]:
    """Report at a steady rate, and read the job's live stream; return delays in ms."""
    settings, job_id = api.settings(stage), stage.new_job()
    count = WARM_UP + stage.scale.paced // 10
    code = [sys.executable, "-m", "bench.http", settings.url or "", settings.token or "", job_id]
    with open_run(job_id, env={}, settings=settings) as context:
        assert context.flush(60)
        reader = subprocess.Popen([*code, str(count)], stdout=subprocess.PIPE)
        assert reader.stdout is not None
        assert reader.stdout.readline()
        for values in paced(metric_values(count), VISIBLE_A_SECOND):
            context.set_metrics(values, STEP)
        heard, _ = reader.communicate(timeout=60)
    return [float(each) for each in orjson.loads(heard)][WARM_UP:]


def _read(url: str, token: str, job_id: str, count: int) -> None:
    """Print how long each metrics event of a live stream took to come."""
    headers = {"Authorization": f"Bearer {token}"}
    pool = urllib3.PoolManager()
    answer = pool.request(
        "GET", f"{url}/api/jobs/{job_id}/live", headers=headers, preload_content=False
    )
    delays: list[float] = []
    rest = b""
    while len(delays) < count:
        *lines, rest = (rest + answer.read1()).split(b"\n")
        now = time.time_ns() // 1_000
        for line in lines:
            if line.startswith(b"event: snapshot"):
                print("ready", flush=True)
            if line.startswith(b"data:") and b'"type":"metrics"' in line:
                event = orjson.loads(line[5:]).get("event") or {}
                if event.get("type") == "metrics":
                    delays.append((now - event["time"]) / 1_000)
    print(orjson.dumps(delays).decode(), flush=True)


@contextmanager
def served(stage: Stage) -> Iterator[Api]:
    port = free_port()
    environ = {
        f"{PREFIX}REDIS_URL": stage.server.url,
        f"{PREFIX}DATA_DIR": str(stage.root / "api"),
        f"{PREFIX}TOKEN_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "consumers.api", "--port", str(port)]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    api = Api(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    try:
        wait_until(lambda: _answers(api.url))
        yield api
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/healthz", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


if __name__ == "__main__":
    _read(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
