"""The notary: signs what archived runs have come to, after it was committed.

A run that goes on is anchored every so many batches, one that pauses, as at its end, soon after.
What an owner of the partition has left open, the next one finds.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from consumers.audit.anchoring import signer_of
from consumers.audit.memory import anchors_to_sign
from consumers.errors import NotAnchored
from consumers.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from consumers.audit.anchoring import Anchors
    from consumers.audit.signing import Signer
    from consumers.views.archive.raw import RawArchive
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream.consumers")

_PAUSE_SECONDS = 2.0
_RETRY_SECONDS = 15.0
_MOST_REMEMBERED = 10_000  # so that what is read again after a fault is not anchored again


@dataclass(slots=True)
class _Open:
    """What has come to a job since it was anchored."""

    batches: int = 0
    grown_at: float = field(default_factory=time.monotonic)


class Notary:
    """Anchors the archived jobs of one partition. Not thread-safe."""

    def __init__(
        self,
        anchors: Anchors,
        signer: Signer,
        archive: RawArchive,
        settings: Settings,
        partition: int,
    ) -> None:
        self._anchors = anchors
        self._signer = signer
        self._archive = archive
        self._settings = settings
        self._partition = partition
        self._open: dict[str, _Open] = {}
        self._anchored: OrderedDict[str, int] = OrderedDict()
        """How many entries the newest anchors say, of the jobs anchored last."""
        self._has_looked = False
        self._retry_at = 0.0
        self._outage = Outage(
            _logger, "anchors are not written, and tried again", "anchors are written again"
        )

    def note(self, batches: Mapping[str, int]) -> None:
        """Count what was committed, by job, and anchor what has many."""
        now = time.monotonic()
        for job_id, count in batches.items():
            job = self._open.setdefault(job_id, _Open())
            job.batches += count
            job.grown_at = now
        most = self._settings.anchor_batches
        self._anchor([job_id for job_id in batches if self._open[job_id].batches >= most])

    def look(self, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        """Anchor what has paused for so long; for when there is nothing else to do."""
        if not self._has_looked and time.monotonic() >= self._retry_at:
            try:
                left = self._left_open()
            except OSError as error:
                self._fail(error)
                return
            self._has_looked = True
            self._open.update({job_id: _Open() for job_id in left})
        paused = time.monotonic() - pause_seconds
        self._anchor([job_id for job_id, job in self._open.items() if job.grown_at <= paused])

    def _anchor(self, job_ids: Collection[str]) -> None:
        if not job_ids or time.monotonic() < self._retry_at:
            return
        found = self._archive.load(list(job_ids))
        entries = {
            job_id: count for job_id, text in found.items() if (count := _entries(text)) is not None
        }
        manifests = [
            (job_id, found[job_id])
            for job_id, count in entries.items()
            if count != self._anchored.get(job_id)
        ]
        namespace, now_ms = self._settings.namespace, time.time_ns() // 1_000_000

        def sign(before: bytes | None) -> Iterator[bytes]:
            return self._signer.lines(namespace, manifests, time_ms=now_ms, before=before)

        try:
            if manifests:
                self._anchors.append(namespace, self._partition, sign)
        except OSError as error:
            self._fail(error)
            return
        self._outage.end()
        for job_id, count in entries.items():
            self._remember(job_id, count)
        for job_id in job_ids:
            del self._open[job_id]

    def _fail(self, error: OSError) -> None:
        """Leave it for a while: each attempt may wait long, and the archive with it."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        self._outage.tell(error)

    def _remember(self, job_id: str, entries: int) -> None:
        self._anchored[job_id] = entries
        self._anchored.move_to_end(job_id)
        while len(self._anchored) > _MOST_REMEMBERED:
            self._anchored.popitem(last=False)

    def _left_open(self) -> list[str]:
        """Return the jobs whose newest anchor does not say what the archive has of them."""
        newest: dict[str, int] = {}
        for line in self._anchors.lines(self._settings.namespace, self._partition):
            try:
                body = orjson.loads(line)
                newest[body["job"]] = body["entries"]
                self._remember(body["job"], body["entries"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue  # for `verify` to find
        counts = (
            (job_id, _entries(manifest))
            for job_id, manifest in self._archive.manifests(self._partition)
        )
        return [
            job_id for job_id, count in counts if count is not None and count != newest.get(job_id)
        ]


def _entries(manifest: bytes) -> int | None:
    """Return how many entries a manifest tells of; None where nothing can be signed of them.

    One that is damaged is made anew; one without a tree has entries that nobody can read.
    """
    try:
        content = orjson.loads(manifest)
        count, has_tree = content["entries"], content.get("tree", "") is not None
    except (AttributeError, orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return count if isinstance(count, int) and has_tree else None


def voucher_of(settings: Settings) -> Callable[[int, str, bytes], None] | None:
    """Return what signs that a run is to be removed, given its partition, id and manifest.

    None when there is no key, or no place for anchors. It raises NotAnchored when it cannot write:
    then the run must stay.

    Raises:
        ConfigError: the key is none.
    """
    signer, anchors = signer_of(settings), anchors_to_sign(settings)
    if signer is None or anchors is None:
        return None

    def vouch(partition: int, job_id: str, manifest: bytes) -> None:
        namespace, now_ms = settings.namespace, time.time_ns() // 1_000_000

        def sign(before: bytes | None) -> Iterator[bytes]:
            run = [(job_id, manifest)]
            return signer.lines(namespace, run, time_ms=now_ms, before=before, is_removal=True)

        try:
            anchors.append(namespace, partition, sign)
        except (OSError, ValueError) as error:
            msg = f"job {job_id!r} stays in the archive, for no anchor can say it went: {error}"
            raise NotAnchored(msg) from error

    return vouch


def open_notary(archive: RawArchive, settings: Settings, partition: int) -> Notary | None:
    """Return the notary of a partition; None when there is no key, or no place for anchors.

    Raises:
        ConfigError: the key is none.
    """
    signer, anchors = signer_of(settings), anchors_to_sign(settings)
    if signer is None or anchors is None:
        return None
    return Notary(anchors, signer, archive, settings, partition)
