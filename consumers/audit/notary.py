"""The notary: signs what archived runs have come to, after it was committed.

A run that goes on is anchored every so many batches, one that pauses, as at its end, soon after.
What an owner of the partition has left open, the next one finds.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from consumers.audit.anchoring import anchors_of, signer_of
from consumers.store.audited import AuditedStore
from consumers.store.databases import Databases
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.errors import SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from consumers.audit.anchoring import Anchors
    from consumers.audit.anchors import Signer
    from consumers.store.store import Store
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream.consumers")

_PAUSE_SECONDS = 2.0
_RETRY_SECONDS = 15.0


class NotAnchored(SynapseStreamError):
    """A run is not removed: no anchor could say so."""


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
        store: Store,
        settings: Settings,
        partition: int,
    ) -> None:
        self._anchors = anchors
        self._signer = signer
        self._store = store
        self._settings = settings
        self._partition = partition
        self._open: dict[str, _Open] = {}
        self._anchored: dict[str, int] = {}
        self._has_looked = False
        self._has_failed = False
        self._retry_at = 0.0

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
        found = self._store.load_folds(ArchiveFold.name, list(job_ids))
        entries = {job_id: orjson.loads(text)["entries"] for job_id, text in found.items()}
        manifests = [
            (job_id, text)
            for job_id, text in found.items()
            if entries[job_id] != self._anchored.get(job_id)
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
        self._has_failed = False
        self._anchored.update(entries)
        for job_id in job_ids:
            del self._open[job_id]

    def _fail(self, error: OSError) -> None:
        """Leave it for a while: each attempt may wait long, and the archive with it."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if not self._has_failed:
            _logger.warning("anchors are not written, and tried again: %s", error)
        self._has_failed = True

    def _left_open(self) -> list[str]:
        """Return the jobs whose newest anchor does not say what the archive has of them."""
        for line in self._anchors.lines(self._settings.namespace, self._partition):
            try:
                body = orjson.loads(line)
                self._anchored[body["job"]] = body["entries"]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue  # for `verify` to find
        with closing(AuditedStore(Databases(self._settings))) as store:
            return [
                job_id
                for job_id, manifest in store.manifests(self._partition)
                if orjson.loads(manifest)["entries"] != self._anchored.get(job_id)
            ]


def voucher_of(settings: Settings) -> Callable[[int, str, bytes], None] | None:
    """Return what signs that a run is to be removed, given its partition, id and manifest.

    None when there is no key, or no place for anchors. It raises NotAnchored when it cannot write:
    then the run must stay.

    Raises:
        ConfigError: the key is none.
    """
    signer, anchors = signer_of(settings), anchors_of(settings)
    if signer is None or anchors is None:
        return None

    def vouch(partition: int, job_id: str, manifest: bytes) -> None:
        namespace, now_ms = settings.namespace, time.time_ns() // 1_000_000

        def sign(before: bytes | None) -> Iterator[bytes]:
            run = [(job_id, manifest)]
            return signer.lines(namespace, run, time_ms=now_ms, before=before, is_removal=True)

        try:
            anchors.append(namespace, partition, sign)
        except OSError as error:
            msg = f"job {job_id!r} stays in the archive, for no anchor can say it went: {error}"
            raise NotAnchored(msg) from error

    return vouch


def open_notary(store: Store, settings: Settings, partition: int) -> Notary | None:
    """Return the notary of a partition; None when there is no key, or no place for anchors.

    Raises:
        ConfigError: the key is none.
    """
    signer, anchors = signer_of(settings), anchors_of(settings)
    if signer is None or anchors is None:
        return None
    return Notary(anchors, signer, store, settings, partition)
