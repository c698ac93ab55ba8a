"""Through a host's agent: ten thousand producers, and over how few connections they go on."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING

import psutil

from bench.figures import Bound, Row
from bench.http import served
from bench.stage import metric_texts
from synapse_stream import Settings
from synapse_stream.remote.log import RemoteLog
from synapse_stream.settings import PREFIX
from tests.support.chains import Chain
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.http import Api
    from bench.stage import Stage

PRODUCERS, DIRECTLY = 10_000, 200
EVENTS = 10
CLIENTS = 16
MOST_CONNECTIONS = 32
_names = itertools.count()


def rows(stage: Stage) -> Iterator[Row]:
    """Producers a second through the agent, and on a connection each to the API; connections."""
    with served(stage) as api, _agent(stage, api) as (settings, process):
        turns = [
            (*_through(settings, process, api), _directly(stage, api))
            for _ in range(stage.scale.rounds)
        ]
        rates, connections, direct = zip(*turns, strict=True)
        what = f"{PRODUCERS:,} producers through an agent, {EVENTS} events each"
        yield Row(what, "producers/s", rates, direct, "a connection to the API each")
        bound = Bound(MOST_CONNECTIONS, on="ours")
        yield Row("connections of the agent to the API meanwhile", "", connections, bound=bound)


def _through(settings: Settings, process: psutil.Process, api: Api) -> tuple[float, float]:
    """Return producers a second, and the most connections that the agent had at once."""
    chains = _chains(PRODUCERS)
    is_over, most = Event(), [0]

    def look() -> None:
        while not is_over.wait(0.1):
            most[0] = max(most[0], _connections(process, api))

    watching = Thread(target=look)
    watching.start()
    with closing(RemoteLog(settings)) as log, ThreadPoolExecutor(CLIENTS) as pool:
        start = time.perf_counter()
        found = list(pool.map(lambda chain: log.append(chain.batches[0]).last, chains))
        seconds = time.perf_counter() - start
        heads = log.heads([(chain.job_id, chain.producer) for chain in chains])
    is_over.set()
    watching.join()
    assert found == [EVENTS - 1] * PRODUCERS
    assert [head.hash for head in heads] == [chain.batches[0].hash for chain in chains]
    return PRODUCERS / seconds, float(most[0])


def _directly(stage: Stage, api: Api) -> float:
    settings = api.settings(stage)

    def send(chain: Chain) -> None:
        with closing(RemoteLog(settings)) as log:
            log.append(chain.batches[0])

    with ThreadPoolExecutor(CLIENTS) as pool:
        chains = _chains(DIRECTLY)
        start = time.perf_counter()
        list(pool.map(send, chains))
        return DIRECTLY / (time.perf_counter() - start)


def _chains(count: int) -> Sequence[Chain]:
    texts = [text.partition(",")[2] for text in metric_texts(EVENTS)]
    data = "".join(f'{{"seq":{n},{text}\n' for n, text in enumerate(texts)).encode()
    chains = [Chain(f"of-an-agent-{next(_names)}", "p") for _ in range(count)]
    for chain in chains:
        chain.add_data(data, EVENTS)
    return chains


def _connections(process: psutil.Process, api: Api) -> int:
    port = int(api.url.rpartition(":")[2])
    found = process.net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr[1] == port for one in found)


@contextmanager
def _agent(stage: Stage, api: Api) -> Iterator[tuple[Settings, psutil.Process]]:
    """Run an agent in front of the API; yield how it is reached, and its process."""
    of_api = api.settings(stage)
    with TemporaryDirectory(prefix="agent-") as home:
        path = Path(home, "agent.sock")
        given = {"URL": api.url, "TOKEN": of_api.token or "", "DATA_DIR": home}
        environ = {**os.environ, **{PREFIX + name: text for name, text in given.items()}}
        command = [sys.executable, "-m", "synapse_stream.cli", "agent"]
        process = subprocess.Popen(
            [*command, "--socket", str(path), "--port", "0"], env=environ, stdout=subprocess.DEVNULL
        )
        try:
            wait_until(path.exists)
            yield (
                Settings(url=f"http+unix://{path}", data_dir=Path(home)),
                psutil.Process(process.pid),
            )
        finally:
            process.terminate()
            process.wait()
