"""The log: append batches exactly once, read them back by position, follow what is new."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from redis.exceptions import ResponseError

from synapse_stream.entries.answers import Ack, Outcome, Written
from synapse_stream.entries.batch import last_word
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.address import running_url
from synapse_stream.log.appending import append_all
from synapse_stream.log.connection import (
    LONGEST_BLOCK_MS,
    LazyClient,
    bounded,
    connect,
    is_refusal,
)
from synapse_stream.log.failures import FAILURES, translate
from synapse_stream.log.handshake import agree, read_report
from synapse_stream.log.replies import ack_of, feed_pointers, raw_entries
from synapse_stream.log.url import parse_url
from synapse_stream.redaction.urls import mask_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import FeedPointer, RecordedBatch
    from synapse_stream.log.connection import Client
    from synapse_stream.log.handshake import ServerReport
    from synapse_stream.log.users import Role
    from synapse_stream.settings import Settings

_PAGE = 200


class EventLog:
    """The streams of one deployment.

    Every method asks the server once and raises LogUnavailable when it did not take or answer the
    command. Whether an append took effect is then unknown; sending it again is always safe.
    Methods may be called from several threads.
    """

    _role: ClassVar[Role] = "plugin"
    """What it may do on an embedded server."""

    def __init__(
        self,
        client: Client,
        keys: Keys,
        address: str,
        *,
        blocking: Client | None = None,
        url: str | None = None,
        spool_root: Path | None = None,
    ) -> None:
        """Speak through `client`, and for reads that wait through `blocking`.

        `address` names the server in messages, so it holds no password. What is secret in `url`
        is not in them either, whatever server and client say. `spool_root` may know the deployment
        of a server that was emptied.
        """
        self.keys = keys
        self.address = address
        self._url = url
        self._spool_root = spool_root
        self.is_cluster = False
        """True when the keys of different partitions may be on different nodes."""
        self.answer_seconds = 0.0
        """How long the server took to answer one command of the last `append_all`."""
        self._client = client
        self._blocking = blocking or client

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return the log of `settings`. It connects at its first command.

        Without a `redis_url` it is on the embedded server of `data_dir`, whose address is looked up
        at every connection: the server may be started, or started again, later.

        Raises:
            ConfigError: the URL has no form that is known, or another door is set.
        """
        if settings.url is not None:
            msg = (
                f"this speaks to the server itself, and SYNAPSE_STREAM_URL={settings.server} names "
                "the API in front of one: set SYNAPSE_STREAM_REDIS_URL in its place"
            )
            raise ConfigError(msg)
        url = settings.redis_url
        endpoint = parse_url(url) if url else None
        address = mask_url(url) if url else f"embedded in {settings.data_dir}"

        def client(answer_seconds: float) -> LazyClient:
            def connect_now() -> Client:
                return connect(
                    endpoint or parse_url(running_url(settings.data_dir, cls._role)),
                    connect_seconds=settings.connect_seconds,
                    answer_seconds=answer_seconds,
                )

            return LazyClient(connect_now)

        seconds = settings.connect_seconds
        keys = Keys(settings.namespace, settings.partitions)
        blocking = client(seconds + LONGEST_BLOCK_MS / 1000)
        root = settings.spool_root
        log = cls(client(seconds), keys, address, blocking=blocking, url=url, spool_root=root)
        log.is_cluster = endpoint is not None and endpoint.is_cluster
        return log

    def check(self, *, found: bool = True) -> str | None:
        """Compare the deployment with how it was founded; found it if it is new.

        A reader sets `found` to False: it writes nothing, and a deployment to come suits it.

        Returns:
            The deployment's id, which it keeps wherever its server moves; None if it is to come.

        Raises:
            ConfigError: the namespace is another program's, has another number of partitions or a
                newer format, or the server is too old.
        """
        return agree(self._command, self.keys, self.address, found=found, root=self._spool_root)

    def append(self, batch: Batch) -> Ack:
        """Append `batch` if it follows the producer's last number; else say what the server has."""
        (answer,) = self.append_all([batch])
        if isinstance(answer, LogUnavailable):
            raise answer
        return answer

    def append_all(self, batches: Sequence[Batch]) -> list[Ack | LogUnavailable]:
        """Append batches of different producers, in one command for each partition.

        Returns:
            What `append` would return of each of them or raise, in their order.
        """
        answers, self.answer_seconds = append_all(self._client, self.keys, batches, self._failure)
        return answers

    def heads(self, producers: Sequence[tuple[str, str]]) -> list[Ack]:
        """Return what the server has of pairs of job and producer, as outcome KNOWN.

        One round trip.
        """
        commands = [("HGET", self.keys.producers(job), producer) for job, producer in producers]
        with self._translated("asking for producers"):
            return [ack_of(Outcome.KNOWN, state) for state in self._execute_all(commands)]

    def read_after(
        self, job_id: str, position: Position, *, limit: int = 100, until: Position | None = None
    ) -> list[RecordedBatch]:
        """Read entries from that of `position` on, oldest first; an unknown job has none.

        The entry of `position` is included, since its later events may be unread; the caller skips
        its lines up to `position.index`. Nothing is left out: an entry that is no batch comes back
        in its place, with an `error`.

        Args:
            job_id: whose stream.
            position: where to begin; BEGINNING for all.
            limit: most entries to return; fewer come back only at the end.
            until: the last entry to return is this position's; None reads to the end.
        """
        end = until.entry_id if until else "+"
        command = ("XRANGE", self.keys.job(job_id), position.entry_id, end, "COUNT", limit)
        found = self._command(f"reading job {job_id!r}", *command)
        return [recorded_batch(job_id, entry) for entry in raw_entries(found)]

    def wait_after(
        self, job_id: str, position: Position, *, block_ms: int, limit: int = 100
    ) -> list[RecordedBatch]:
        """Read entries behind that of `position`, waiting for the first up to `block_ms`, or 5 s.

        Unlike in `read_after`, the entry of `position` is not included. May come back empty.
        """
        doing, key = f"following job {job_id!r}", self.keys.job(job_id)
        found = self._wait(doing, key, position.entry_id, block_ms, limit)
        return [recorded_batch(job_id, entry) for entry in raw_entries(found)]

    def written(self, job_id: str, producer: str) -> Iterator[Written]:
        """Yield what the job's stream has under the name of a producer, in its order."""
        position = BEGINNING
        while page := self.read_after(job_id, position, limit=_PAGE):
            for ms, seq, batch, *_ in page:
                position = Position(ms, seq + 1)
                if batch is not None and batch.producer == producer:
                    is_last_word = last_word(batch.data) is not None
                    yield Written(batch.first, batch.last, batch.hash, is_last_word)

    def stream_info(self, key: str) -> dict[bytes, Any] | None:
        """Return what XINFO STREAM says of the stream `key`; None if there is none."""
        with self._translated(f"looking at stream {key!r}"):
            try:
                reply = self._client.execute_command("XINFO", "STREAM", key)
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return None
        return dict(zip(reply[::2], reply[1::2], strict=True))

    def knows(self, job_id: str) -> bool:
        """Tell whether a job has had producers, be its stream there or not."""
        return bool(self._command("looking for a job", "EXISTS", self.keys.producers(job_id)))

    def read_feed(
        self,
        partition: int,
        after: tuple[int, int] = (0, 0),
        *,
        limit: int = 1000,
        until: str = "+",
        block_ms: int | None = None,
    ) -> list[FeedPointer]:
        """Read a feed behind the entry `after`, oldest first.

        Either waits up to `block_ms`, or ends at `until`, an id as XRANGE takes it.
        """
        doing, key = f"reading feed {partition}", self.keys.feed(partition)
        start = f"{after[0]}-{after[1]}"
        if block_ms is None:
            entries = self._command(doing, "XRANGE", key, f"({start}", until, "COUNT", limit)
        else:
            entries = self._wait(doing, key, start, block_ms, limit)
        return self._pointers(partition, entries)

    def server_report(self) -> ServerReport:
        """Return the state of the server, of one node if it is a cluster."""
        return read_report(self._command)

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._client.close()
        self._blocking.close()

    def _pointers(self, partition: int, entries: list[Any]) -> list[FeedPointer]:
        return feed_pointers(self.keys, partition, entries)

    def _wait(self, doing: str, key: str, after: str, block_ms: int, limit: int) -> list[Any]:
        command = ("XREAD", "COUNT", limit, "BLOCK", bounded(block_ms), "STREAMS", key, after)
        with self._translated(doing):
            reply = self._blocking.execute_command(*command)
        return reply[0][1] if reply else []

    def _command(self, doing: str, *command: Any) -> Any:
        with self._translated(doing):
            return self._client.execute_command(*command)

    def _execute_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        client: Any = self._client  # every client has pipelines, but only this method needs them
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            return pipeline.execute()  # type: ignore[no-any-return]
        except FAILURES as error:
            if not is_refusal(error):
                self._client.close()
            raise

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except LogUnavailable:
            raise
        except FAILURES as error:
            failure = self._failure(error, doing)
            raise failure from failure.__cause__

    def _failure(self, error: Exception, doing: str) -> LogUnavailable:
        if isinstance(error, LogUnavailable):
            return error
        said = without_secrets(str(error), self._url)
        failure = translate(error, self.address, doing, said)
        failure.__cause__ = error if said == str(error) else None  # its own text would tell
        return failure


def open_log(settings: Settings) -> EventLog:
    """Return the log of `settings`, as `EventLog.open`."""
    return EventLog.open(settings)
