"""What a scenario of the live streams stands on: server, jobs that report, the API, its clients."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synapse_stream.settings import Settings
from tests.resilience.live.judge import behind, judge, told_by
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.reader import Reader, pump
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from tests.support.scenes.reader import Told
    from tests.support.scenes.report import Result

JOBS = ("job/1", "job 2", "job%2F3", "Job 4")
PAUSE_SECONDS = 0.03


class Stand:
    """One deployment; `readers` are all its clients."""

    def __init__(self, server: TestServer, stage: Stage, api: ApiProcess, random: Random) -> None:
        self.server = server
        self.stage = stage
        self.api = api
        self.random = random
        self.readers: list[Reader] = []

    def reader(self, job: str, **options: Any) -> Reader:
        """Make a client; it does not connect yet."""
        self.readers.append(Reader(self.api.port, job, **options))
        return self.readers[-1]

    def connect_all(self) -> None:
        """Connect those that are away, and wait until each is answered."""
        for reader in self.readers:
            if not reader.is_connected:
                reader.connect()
        for reader in self.readers:
            reader.until(lambda reader: reader.status)

    def go_on(self, turns: int) -> None:
        """Report to jobs at random while the clients read."""
        for _ in range(turns):
            self.stage.report(self.random.choice(JOBS), self.random.randint(1, 20))
            pump(self.readers, PAUSE_SECONDS)

    def judge_all(self, result: Result) -> None:
        """Let every client read to the end of its job, and compare; nobody was to be reset."""
        streams = {Reader(0, job).path: told_by(self.stage.log, job) for job in self.stage.jobs}
        for number, reader in enumerate(self.readers):
            read_to_end(reader, streams[reader.path])
            wanted = behind(streams[reader.path], reader)
            judge(result.tally, f"client {number}", wanted, reader.events)
            result.require(not reader.of("reset"), f"client {number} was reset")
        self.judge_api(result)

    def judge_api(self, result: Result) -> None:
        """See that the API leaves well, and had nothing to say of a fault of its own."""
        result.require(self.api.stop() == 0, "the API did not leave well")
        result.require("Traceback" not in self.api.log, f"the API failed: {self.api.log[-3000:]}")


@contextmanager
def stand(home: Path, random: Random) -> Iterator[Stand]:
    """Start all but the clients; at the end all are gone."""
    with TestServer(home / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=home / "data", partitions=4)
        with (
            Stage(home / "stage", settings, random) as stage,
            ApiProcess(settings, home / "api.log") as api,
        ):
            made = Stand(server, stage.prepare(), api, random)
            try:
                yield made
            finally:
                for reader in made.readers:
                    reader.leave()


def read_to_end(reader: Reader, stream: Sequence[Told]) -> None:
    """Let a client read until it has the last event of its job, which its snapshot may hold."""

    def is_at_end(reader: Reader) -> bool:
        if reader.events:
            return reader.events[-1] == stream[-1]
        return (stream[-1].position, "snapshot") in {(one.id, one.event) for one in reader.sent}

    reader.until(is_at_end, 120)
