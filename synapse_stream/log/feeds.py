"""The feeds, several at a time, with the entries they point to: what a projector reads."""

from __future__ import annotations

import re
import sys
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

from synapse_stream.entries.batch import RawEntry
from synapse_stream.entries.entry import RecordedBatch, recorded_batch
from synapse_stream.entries.limits import CUTTING
from synapse_stream.errors import LogUnavailable, Trimmed
from synapse_stream.log.connection import bounded
from synapse_stream.log.failures import is_wrong_type, suppress_wrong_type
from synapse_stream.log.mending import AHEAD_MS, LARGEST_NUMBER, MendingLog
from synapse_stream.log.replies import entry_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.entries.entry import EntryId, FeedPointer

_POLL_SECONDS = 0.02  # a cluster has no blocking read over slots of several nodes

_READ = files(__package__).joinpath("read_entries.lua").read_bytes()
_IDENTITY = files(__package__).joinpath("identity.lua").read_bytes()

_ENTRY_ID = re.compile(rb"\d{1,19}-\d{1,19}")
_MOST_DIGITS = 15
_LONGEST = 300  # characters of a reason
_NO_SUCH_GROUP = ("NOGROUP", "requires the key to exist")

MOST_BYTES = 8 * 1024 * 1024
"""About what one reading of entries brings into memory."""


class Pointed(NamedTuple):
    """A pointer and what it points to."""

    pointer: FeedPointer
    entry: RawEntry | None
    """None when there is none, be it gone already or never was."""
    fault: str | None = None
    """Why there can be none, where somebody must be told."""
    is_ahead: bool = False
    """True when its id lay ahead of the clock; then it was moved, or it went."""


class FeedLog(MendingLog):
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

        Waits up to `block_ms`, or 5 s, for the first pointer. Partitions without news are left out.

        Args:
            after: partition → id of the last entry seen.
            limit: most pointers of one partition.
            block_ms: longest wait, in milliseconds.
        """
        block_ms = bounded(block_ms)
        try:
            if self.is_cluster:
                return self._poll_feeds(after, limit, block_ms)
            return self._block_on_feeds(after, limit, block_ms)
        except LogUnavailable as error:
            if not is_wrong_type(error):
                raise
            for partition in after:
                self.mend(partition)
            return {}

    def read_pointed(
        self, partition: int, pointers: Sequence[FeedPointer], *, most_bytes: int = MOST_BYTES
    ) -> list[Pointed]:
        """Read what pointers of one feed point to, in feed order, one item a pointer.

        One round trip. No more pointers are read than hold about `most_bytes`, but at least one. An
        entry that is too large is cut where it is. Pointers that lie ahead of the server's clock
        are mended: see `mend`.
        """
        jobs = list(dict.fromkeys(pointer.job_id for pointer in pointers if pointer.job_id))
        numbers = {job_id: number for number, job_id in enumerate(jobs, 1)}
        places: list[Any] = []
        for pointer in pointers:
            # of one that points to nothing only the id is judged
            places += (numbers.get(pointer.job_id, len(jobs) + 1), "{}-{}".format(*pointer.entry))
        nothing = f"{self.keys.feed(partition)}:nothing"
        keys = [*map(self.keys.job, jobs), nothing]
        limits = (most_bytes, *CUTTING, AHEAD_MS)
        command = ("EVAL", _READ, len(keys), *keys, *limits, *places)
        found = self._command("reading the entries of a feed", *command)
        odd = next((one.entry for one in pointers if one.entry[1] > LARGEST_NUMBER), None)
        gone = set(self.mend(partition, odd)) if odd or 0 in found else set()
        return [
            _pointed(
                pointer,
                answer if odd is None or pointer.entry < odd else 0,
                is_gone=pointer.entry in gone,
            )
            for pointer, answer in zip(pointers, found, strict=False)
        ]

    def read_entries(
        self, partition: int, pointers: Sequence[FeedPointer]
    ) -> list[tuple[str, RecordedBatch]]:
        """Read all entries that `pointers` of one feed point to, with their jobs, in feed order.

        One that is no longer in its stream is left out.
        """
        found = self.read_pointed(partition, pointers, most_bytes=sys.maxsize)
        return [
            (one.pointer.job_id, recorded_batch(one.pointer.job_id, one.entry))
            for one in found
            if one.entry
        ]

    def check_readable(self, projection: str, partition: int, position: EntryId) -> None:
        """Refuse to let a projection read on behind `position` if it would miss what was trimmed.

        Raises:
            Trimmed: it was retired, or what is behind its position is no longer there.
        """
        if projection in self.retired():
            msg = (
                f"{projection} was retired, so streams are trimmed without waiting for it; fill it "
                f"again from the archive: synapse-stream rebuild {projection}"
            )
            raise Trimmed(msg)
        trimmed = self.trimmed(partition)
        if position < trimmed:
            upto, reached = ("{}-{}".format(*place) for place in (trimmed, position))
            msg = (
                f"feed {partition} was trimmed up to {upto}, but {projection} has read "
                f"only up to {reached}: is its database an older copy, or new?"
            )
            raise Trimmed(msg)

    def trimmed(self, partition: int) -> EntryId:
        """Return up to where a feed was trimmed."""
        doing = f"looking where feed {partition} begins"
        trimmed = None
        with suppress_wrong_type():
            trimmed = self._command(doing, "GET", self.keys.trimmed(partition))
        return entry_id(trimmed) if trimmed and _ENTRY_ID.fullmatch(trimmed) else (0, 0)

    def trims(self) -> dict[int, EntryId]:
        """Return of every feed up to where it was trimmed."""
        return {partition: self.trimmed(partition) for partition in range(self.keys.partitions)}

    def retired(self) -> dict[str, int]:
        """Return the projections that trimming does not wait for, and since when, in ms."""
        found: Any = {}
        with suppress_wrong_type():
            found = self._command("asking who is retired", "HGETALL", self.keys.retired)
        pairs = (
            found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        )
        return {
            name.decode(errors="replace"): int(ms)
            for name, ms in pairs
            if ms.isdigit() and len(ms) <= _MOST_DIGITS
        }

    def checkpoint_of_anchors(self) -> str | None:
        """Return what `note_checkpoint_of_anchors` has noted; None where that is nothing."""
        noted = None
        with suppress_wrong_type():
            noted = self._command("asking for anchors", "HGET", self.keys.anchors, "checkpoint")
        return noted.decode(errors="replace") if noted else None

    def note_checkpoint_of_anchors(self, text: str) -> None:
        """Note the newest signed checkpoint of the log of anchors."""
        with suppress_wrong_type():
            self._command("noting anchors", "HSET", self.keys.anchors, "checkpoint", text)

    def mirror(self, group: str, partition: int, position: EntryId) -> None:
        """Set the consumer group `group` of a feed to `position`, for Redis tools to see."""
        key, at = self.keys.feed(partition), "{}-{}".format(*position)
        with (
            suppress_wrong_type(),  # it is mended when it is read
            self._translated(f"mirroring a position to feed {partition}"),
        ):
            try:
                self._client.execute_command("XGROUP", "SETID", key, group, at)
            except ResponseError as error:
                if not any(sign in str(error) for sign in _NO_SUCH_GROUP):
                    raise
                self._client.execute_command("XGROUP", "CREATE", key, group, at, "MKSTREAM")

    def _servers_of_feeds(self) -> tuple[bytes, ...]:
        """Return what the server of each feed calls itself since it was started or promoted.

        A cluster is asked by the feeds' keys: of the nodes that the client remembers, one that is
        a primary no more still tells about itself, but sends whoever asks for a key to the new one.
        """
        partitions = range(self.keys.partitions if self.is_cluster else 1)
        commands = [("EVAL", _IDENTITY, 1, self.keys.feed(partition)) for partition in partitions]
        with self._translated("asking which server it is"):
            return tuple(self._execute_all(commands))

    def _block_on_feeds(
        self, after: Mapping[int, EntryId], limit: int, block_ms: int
    ) -> dict[int, list[FeedPointer]]:
        keys = {self.keys.feed(partition).encode(): partition for partition in after}
        starts = [f"{ms}-{seq}" for ms, seq in after.values()]
        command = ("XREAD", "COUNT", limit, "BLOCK", block_ms, "STREAMS", *keys, *starts)
        with self._translated("reading the feeds"):
            reply = self._blocking.execute_command(*command) or ()
        return {keys[key]: self._pointers(keys[key], entries) for key, entries in reply}

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
                p: self._pointers(p, entries)
                for p, entries in zip(after, replies, strict=True)
                if entries
            }
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_SECONDS)


def _pointed(pointer: FeedPointer, answer: Any, *, is_gone: bool) -> Pointed:
    """Return what the script has said about one pointer."""
    if answer == 0:
        reason = (
            f"a pointer to job {pointer.job_id!r} without an entry, whose id "
            f"{'{}-{}'.format(*pointer.entry)} lies far ahead of the server's clock"
        )
        return Pointed(pointer, None, reason if is_gone else None, is_ahead=True)
    if pointer.fault or not answer:
        return Pointed(pointer, None, pointer.fault)
    if isinstance(answer, bytes):
        words = answer.decode(errors="replace")
        return Pointed(pointer, None, f"the stream of the job cannot be read: {words}"[:_LONGEST])
    fields = dict(zip(answer[::2], answer[1::2], strict=True))
    return Pointed(pointer, RawEntry(*pointer.entry, fields))
