"""The notary: signs what archived runs have come to. It is a process of its own.

A run's first batch is anchored at once, what comes then at least every MAX_UNANCHORED_SECONDS, and
its end as soon as it is archived. The feeds tell which runs go on; what stands in the archive of
them is signed. What one notary has left open, the next one finds. Several do no harm.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import orjson

from consumers.audit.anchors import ANCHOR, REMOVAL, anchor_of, entries_of, read_entry
from consumers.audit.seals import sealed
from consumers.store.removals import Removals
from synapse_stream.entries.entry import FeedPointer, recorded_batch
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumers.audit.guarded import GuardedLog
    from consumers.store.databases import Databases
    from consumers.views.archive.raw import RawArchive
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.log.feeds import Pointed

    ReadPointed = Callable[[int, list[FeedPointer]], Iterable[Pointed]]

_PAUSE_SECONDS = 0.25
_MOST_REMEMBERED = 100_000  # runs, of which the newest anchor is known


class _Open(NamedTuple):
    """What has come to a run since it was anchored."""

    partition: int
    newest: FeedPointer
    since: float
    grown_at: float
    has_ended: bool | None = None
    """None until somebody has looked."""


class Notary:
    """Anchors the archived runs of a deployment. Not thread-safe."""

    def __init__(
        self,
        log: GuardedLog,
        archive: RawArchive,
        databases: Databases,
        *,
        max_unanchored_seconds: float,
    ) -> None:
        self._log = log
        self._archive = archive
        self._removals = Removals(databases)
        self._longest = max_unanchored_seconds
        self._open: dict[str, _Open] = {}
        self._anchored: OrderedDict[str, int] = OrderedDict()
        """How many entries the newest anchors tell of, of the runs anchored last."""

    def begin(self, partitions: Iterable[int]) -> None:
        """Anchor all runs of which the archive has more than their newest anchors tell.

        Raises:
            AnchorsRefused: the log is not what is remembered.
            OSError: somebody is away.
        """
        size = self._log.check().size
        for entry in self._log.folder.tiles(size).entries():
            try:
                body = read_entry(entry)
            except DecodeError:
                continue  # for `verify` to find
            if body["type"] in {ANCHOR, REMOVAL}:
                self._remember(body["job"], body["entries"])
        for partition in partitions:
            self._anchor(dict(self._archive.manifests(partition)))

    def take(self, partition: int, pointers: Iterable[FeedPointer], now: float) -> None:
        """Note what has come to runs, as a feed tells."""
        for pointer in pointers:
            if pointer.job_id:
                before = self._open.get(pointer.job_id)
                since = now if before is None else before.since
                self._open[pointer.job_id] = _Open(partition, pointer, since, now)

    def check_witnesses(self, contradiction: str | None) -> None:
        """Raise AnchorsRefused if a witness has said what speaks against the log."""
        if contradiction is not None:
            raise self._log.refused(contradiction)

    def look(self, read: ReadPointed, now: float) -> None:
        """Anchor what is due, and sign what is to be removed; `read` returns entries of a feed.

        Raises:
            AnchorsRefused: the log is not what is remembered.
            OSError: somebody is away; what was due stays so.
        """
        self._look_for_ends(read, now)
        due = [job_id for job_id, one in self._open.items() if self._is_due(job_id, one, now)]
        found = self._archive.load(due) if due else {}
        self._anchor(found)
        for job_id, manifest in found.items():
            one = self._open[job_id]
            if entries_of(manifest) is None or _top(manifest) >= one.newest.entry:
                del self._open[job_id]
            elif not one.has_ended:  # its end is awaited
                self._open[job_id] = one._replace(since=now)
        self._sign_removals()

    def _is_due(self, job_id: str, one: _Open, now: float) -> bool:
        is_new = job_id not in self._anchored
        return is_new or bool(one.has_ended) or now - one.since >= self._longest

    def _look_for_ends(self, read: ReadPointed, now: float) -> None:
        """Find out of the runs that pause which ones have ended."""
        pausing: dict[int, list[FeedPointer]] = {}
        for one in self._open.values():
            if one.has_ended is None and now - one.grown_at >= _PAUSE_SECONDS:
                pausing.setdefault(one.partition, []).append(one.newest)
        for partition, pointers in pausing.items():
            for pointer, entry, *_ in read(partition, pointers):
                batch = entry and recorded_batch(pointer.job_id, entry).batch
                has_ended = entry is None or (batch is not None and sealed(batch) is not None)
                one = self._open[pointer.job_id]
                self._open[pointer.job_id] = one._replace(has_ended=bool(has_ended))

    def _anchor(self, manifests: dict[str, bytes]) -> None:
        """Anchor the runs that have more entries than their newest anchors tell."""
        counts = {job_id: entries_of(text) for job_id, text in manifests.items()}
        new = {
            job_id: count
            for job_id, count in counts.items()
            if count is not None and count != self._anchored.get(job_id)
        }
        time_ms = time.time_ns() // 1_000_000
        if new:
            self._log.append(
                [anchor_of(job_id, manifests[job_id], time_ms=time_ms) for job_id in new]
            )
        for job_id, count in new.items():
            self._remember(job_id, count)

    def _sign_removals(self) -> None:
        asked = self._removals.unsigned()
        if not asked:
            return
        manifests = self._archive.load([one.job_id for _, one in asked])
        sound = [
            (partition, one)
            for partition, one in asked
            if entries_of(manifests.get(one.job_id, b"")) == one.entries
        ]
        time_ms = time.time_ns() // 1_000_000
        if sound:
            self._log.append([_removal(one.job_id, manifests, time_ms) for _, one in sound])
        for partition, one in sound:
            self._removals.put(partition, one._replace(is_signed=True))

    def _remember(self, job_id: str, entries: int) -> None:
        self._anchored[job_id] = entries
        self._anchored.move_to_end(job_id)
        while len(self._anchored) > _MOST_REMEMBERED:
            self._anchored.popitem(last=False)


def _removal(job_id: str, manifests: dict[str, bytes], time_ms: int) -> bytes:
    return anchor_of(job_id, manifests[job_id], time_ms=time_ms, is_removal=True)


def _top(manifest: bytes) -> EntryId:
    """Return the highest id of an entry that a manifest tells of."""
    ms, seq = orjson.loads(manifest).get("top") or (0, 0)
    return (ms, seq)
