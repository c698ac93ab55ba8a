"""An archive projection in the test's own thread, that archives and trims when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.projector.partition import Held
from consumers.views.archive.view import VIEW as ARCHIVE
from consumers.views.opening import open_store
from synapse_stream.entries.position import BEGINNING
from synapse_stream.settings import Settings
from tests.support.raw import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.feeds import FeedLog
    from tests.support.servers import TestServer

Key = tuple[int, int, bytes]


@pytest.fixture
def settings(
    server: TestServer, namespace: str, tmp_path: Path, store_url: str | None
) -> Iterator[Settings]:
    """Name streams and a store that no other test uses."""
    yield Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        store_url=store_url,
        partitions=2,
    )
    with server.client() as client:
        client.flushall()


class Archiver:
    """Holds every partition of the archive."""

    def __init__(self, settings: Settings, log: FeedLog) -> None:
        self.log = log
        self.store = open_store(settings)
        self.held: dict[int, Held] = {}
        self._settings = settings
        for partition in range(settings.partitions):
            lease = self.store.leases.acquire(ARCHIVE.name, partition, "test", 3600)
            assert lease is not None
            self.held[partition] = Held(ARCHIVE, self.store, lease, settings)

    def archive(self, *, most: int = 1000) -> None:
        """Archive what the feeds have, at most so many entries a commit."""
        for partition, held in self.held.items():
            while pointers := self.log.read_feed(partition, held.position, limit=most):
                for portion in held.portions(self.log, pointers):
                    held.commit(portion)

    def archive_again(self) -> None:
        """Archive as after a restart: from some time before the checkpoint."""
        for held in self.held.values():
            held.begin(self.log)
            held.forget()
        self.archive()

    def compact(self, rested_seconds: float = 0.0) -> int:
        """Merge blocks until there is nothing to be merged; return how many jobs were looked at."""
        looked = 0
        for held in self.held.values():
            while some := self.store.compact(held.lease, rested_seconds=rested_seconds):
                looked += some
        return looked

    def trim(self, job_id: str, upto: RecordedBatch | RawEntry | None) -> None:
        """Remove a job's entries up to one of them, or all; they must be archived."""
        key = self.log.keys.job(job_id)
        if upto is None:
            client_of(self.log).execute_command("DEL", key)
        else:
            client_of(self.log).execute_command(
                "XTRIM", key, "MINID", "=", f"{upto.ms}-{upto.seq + 1}"
            )

    def stream(self, job_id: str) -> list[RecordedBatch]:
        """Return what the stream has."""
        return self.log.read_after(job_id, BEGINNING, limit=100_000)

    def close(self) -> None:
        self.store.close()


def keys(entries: list[RecordedBatch]) -> list[Key]:
    """Return what tells entries apart, and what producers wrote."""
    return [(e.ms, e.seq, e.batch.data if e.batch else repr(e.raw).encode()) for e in entries]
