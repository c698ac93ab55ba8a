"""A deployment whose runs are recorded, projected, verified, and changed by another hand."""

from __future__ import annotations

import io
from contextlib import closing
from typing import TYPE_CHECKING, Any

from consumers.views.opening import open_databases
from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.batch import encode_fields, seal
from synapse_stream.exports.copies import import_run
from synapse_stream.exports.exact import ExactFile, write_exact
from synapse_stream.ports.archive import open_archive
from synapse_stream.ports.audit import open_auditor
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.reading.stream import JobStream
from tests.support import events
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.raw import client_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.batch import Batch
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.ports.audit import Report
    from synapse_stream.settings import Settings

START = events.started(attempt=1)
END = events.ended()


class Deployment:
    """One namespace of the shared server, and its own store."""

    def __init__(self, settings: Settings, log: FeedLog) -> None:
        self.settings = settings
        self.log = log
        self.databases = open_databases(settings)

    def record(self, chain: Chain, *batches: Sequence[dict[str, Any]]) -> None:
        """Append batches of events."""
        for batch in batches:
            self.append(chain.add(*batch))

    def append(self, batch: Batch) -> None:
        assert self.log.append(batch).outcome is Outcome.APPENDED

    def run(self, job: str = "job-1", *, batches: int = 6, is_ended: bool = True) -> Chain:
        """Record a run: its start, metrics and messages in batches of four, its end."""
        chain = Chain(job)
        self.record(chain, [START])
        for number in range(batches):
            self.record(
                chain,
                [
                    {"type": "metrics", "step": "fit", "values": {"loss": number + i / 8}}
                    if i % 2
                    else {"type": "message", "content": f"batch {number}, {i}", "level": "info"}
                    for i in range(4)
                ],
            )
        if is_ended:
            self.record(chain, [END | {"count": chain.last + 2}])
        return chain

    def project(self) -> None:
        project(self.settings)

    def verify(self, job: str = "job-1", **changes: Any) -> Report:
        """Verify as a process that has just started."""
        auditor = open_auditor(self.settings.model_copy(update=changes))
        try:
            return auditor.verify(job)
        finally:
            auditor.close()

    def export(self, job: str = "job-1") -> bytes:
        """Return what `export` writes."""
        file, stream = io.BytesIO(), JobStream(job, settings=self.settings)
        write_exact(job, stream.entries(), file, stream.joins(), stream.erasures())
        return file.getvalue()

    def import_(self, file: bytes) -> None:
        """Put into the store what `export` wrote elsewhere."""
        with closing(open_archive(self.settings)) as archive:
            reader = JobReader(self.log, lambda: archive)
            assert import_run(ExactFile(io.BytesIO(file)), reader, archive)

    def redis(self, *command: Any) -> Any:
        return client_of(self.log).execute_command(*command)

    def lose_tail(self, chain: Chain, keep: int) -> None:
        """Take the server back to the first `keep` batches, as a fail-over does; ids go on."""
        key, producers = self.log.keys.job(chain.job_id), self.log.keys.producers(chain.job_id)
        ids = [entry for entry, _ in self.redis("XRANGE", key, "-", "+")]
        self.redis("XDEL", key, *ids[keep:])
        head = chain.batches[keep - 1]
        self.redis("HSET", producers, chain.producer, head.hash + str(head.last).encode())
        chain.batches = chain.batches[:keep]

    def rewrite(self, job: str, batches: Sequence[Batch]) -> None:
        """Write a job's stream anew, under the same ids as far as there are any."""
        key = self.log.keys.job(job)
        ids = [entry for entry, _ in self.redis("XRANGE", key, "-", "+")]
        self.redis("DEL", key)
        for entry, batch in zip(ids, batches, strict=False):
            words = [word for pair in encode_fields(batch).items() for word in pair]
            self.redis("XADD", key, entry, *words)

    def close(self) -> None:
        self.databases.close()


def rechained(chain: Chain, place: int) -> list[Batch]:
    """Change a batch and seal it and all behind it anew, as whoever knows the rules can do."""
    batches = chain.batches[:place]
    for batch in chain.batches[place:]:
        data = batch.data.replace(b"batch 2", b"batch X")
        previous = batches[-1].hash
        batches.append(seal(previous, batch.job_id, batch.producer, batch.first, batch.last, data))
    return batches
