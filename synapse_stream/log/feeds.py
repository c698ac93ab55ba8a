"""The feeds, several at a time, with the entries they point to: what a projector reads."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from synapse_stream.errors import LogUnavailable, Trimmed
from synapse_stream.log.event_log import EventLog, RecordedBatch, recorded_batch
from synapse_stream.log.replies import FeedPointer, entry_id, feed_pointers, raw_entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.batch import RawEntry

_POLL_SECONDS = 0.02  # a cluster has no blocking read over slots of several nodes

_IDENTITY = files(__package__).joinpath("identity.lua").read_bytes()

_NO_SUCH_GROUP = ("NOGROUP", "requires the key to exist")

EntryId = tuple[int, int]


class FeedLog(EventLog):
    """An event log that also reads many feeds in one call."""

    _servers: tuple[bytes, ...] = ()

    def check(self, *, found: bool = True) -> str | None:
        """Compare as EventLog does, and keep in mind which servers have the feeds."""
        deployment = super().check(found=found)
        self._servers = self._servers_of_feeds()
        return deployment

    def check_same_server(self) -> None:
        """Raise LogUnavailable if a server is not that of `check`, or was started anew.

        A connection that broke while it was idle is made anew without an error, and a cluster's
        client follows a promoted replica without one. So this is the only sign that entries may
        have gone, and others come with ids that lie behind what was read.
        """
        if self._servers_of_feeds() != self._servers:
            msg = f"the server {self.address} was started again, or another has taken its place"
            raise LogUnavailable(msg, "the feeds are read again from some time before")

    def wait_feeds(
        self, after: Mapping[int, EntryId], *, limit: int, block_ms: int
    ) -> dict[int, list[FeedPointer]]:
        """Read the feeds of several partitions, each behind its own position, oldest first.

        Waits up to `block_ms` for the first pointer. Partitions without news are left out.

        Args:
            after: partition → id of the last entry seen.
            limit: most pointers of one partition.
            block_ms: longest wait, in milliseconds.
        """
        if self.is_cluster:
            return self._poll_feeds(after, limit, block_ms)
        keys = {self.keys.feed(partition).encode(): partition for partition in after}
        starts = [f"{ms}-{seq}" for ms, seq in after.values()]
        command = ("XREAD", "COUNT", limit, "BLOCK", block_ms, "STREAMS", *keys, *starts)
        with self._translated("reading the feeds"):
            reply = self._blocking.execute_command(*command) or ()
        return {keys[key]: feed_pointers(entries) for key, entries in reply}

    def read_entries(self, pointers: Sequence[FeedPointer]) -> list[tuple[str, RecordedBatch]]:
        """Read the entries that `pointers` of one feed point to, as `read_raw_entries` does."""
        found = self.read_raw_entries(pointers)
        return [(job_id, recorded_batch(job_id, entry)) for job_id, entry in found]

    def read_raw_entries(self, pointers: Sequence[FeedPointer]) -> list[tuple[str, RawEntry]]:
        """Read the entries that `pointers` of one feed point to, with their jobs, in feed order.

        One round trip. An entry that is no longer in its stream is left out.
        """
        spans: dict[str, tuple[EntryId, EntryId]] = {}
        for pointer in pointers:
            if pointer.job_id:
                first, _ = spans.get(pointer.job_id, (pointer.entry, pointer.entry))
                spans[pointer.job_id] = (first, pointer.entry)
        commands = [
            ("XRANGE", self.keys.job(job_id), "{}-{}".format(*first), "{}-{}".format(*last))
            for job_id, (first, last) in spans.items()
        ]
        with self._translated("reading the entries of a feed"):
            replies = self._execute_all(commands)
        found = [
            (job_id, entry)
            for job_id, entries in zip(spans, replies, strict=True)
            for entry in raw_entries(entries)
        ]
        found.sort(key=lambda item: (item[1].ms, item[1].seq))
        return found

    def feed_last(self, partition: int) -> EntryId:
        """Return the id of the newest entry that was ever added to a feed; (0, 0) for none."""
        info = self.stream_info(self.keys.feed(partition))
        return (0, 0) if info is None else entry_id(info[b"last-generated-id"])

    def check_readable(self, projection: str, partition: int, position: EntryId) -> None:
        """Refuse to let a projection read on behind `position` if it would miss what was trimmed.

        Raises:
            Trimmed: it was retired, or what is behind its position is no longer there.
        """
        advice = f"fill it again from the archive: synapse-stream rebuild {projection}"
        if projection in self.retired():
            msg = (
                f"{projection} was retired, so streams are trimmed without waiting for it; {advice}"
            )
            raise Trimmed(msg)
        trimmed = self.trimmed(partition)
        if position < trimmed:
            upto, reached = ("{}-{}".format(*place) for place in (trimmed, position))
            msg = (
                f"feed {partition} was trimmed up to {upto}, but {projection} has read "
                f"only up to {reached}: is its database an older copy, or new? {advice}"
            )
            raise Trimmed(msg)

    def trimmed(self, partition: int) -> EntryId:
        """Return up to where a feed was trimmed."""
        doing = f"looking where feed {partition} begins"
        trimmed = self._command(doing, "GET", self.keys.trimmed(partition))
        return (0, 0) if trimmed is None else entry_id(trimmed)

    def retired(self) -> dict[str, int]:
        """Return the projections that trimming does not wait for, and since when, in ms."""
        found = self._command("asking who is retired", "HGETALL", self.keys.retired)
        pairs = (
            found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        )
        return {name.decode(): int(ms) for name, ms in pairs}

    def mirror(self, group: str, partition: int, position: EntryId) -> None:
        """Set the consumer group `group` of a feed to `position`, for Redis tools to see."""
        key, at = self.keys.feed(partition), "{}-{}".format(*position)
        with self._translated(f"mirroring a position to feed {partition}"):
            try:
                self._client.execute_command("XGROUP", "SETID", key, group, at)
            except ResponseError as error:
                if not any(sign in str(error) for sign in _NO_SUCH_GROUP):
                    raise
                self._client.execute_command("XGROUP", "CREATE", key, group, at, "MKSTREAM")

    def now_ms(self) -> int:
        """Return the server's clock, in milliseconds since the epoch."""
        with self._translated("asking for the time"):
            seconds, micros = self._client.execute_command("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def _servers_of_feeds(self) -> tuple[bytes, ...]:
        """Return what the server of each feed calls itself since it was started or promoted.

        A cluster is asked by the feeds' keys: of the nodes that the client remembers, one that is
        a primary no more still tells about itself, but sends whoever asks for a key to the new one.
        """
        partitions = range(self.keys.partitions if self.is_cluster else 1)
        commands = [("EVAL", _IDENTITY, 1, self.keys.feed(partition)) for partition in partitions]
        with self._translated("asking which server it is"):
            return tuple(self._execute_all(commands))

    def _poll_feeds(
        self, after: Mapping[int, EntryId], limit: int, block_ms: int
    ) -> dict[int, list[FeedPointer]]:
        commands = [
            ("XRANGE", self.keys.feed(partition), f"({ms}-{seq}", "+", "COUNT", limit)
            for partition, (ms, seq) in after.items()
        ]
        deadline = time.monotonic() + block_ms / 1000
        while True:
            with self._translated("reading the feeds"):
                replies = self._execute_all(commands)
            found = {
                p: feed_pointers(entries)
                for p, entries in zip(after, replies, strict=True)
                if entries
            }
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_SECONDS)
