"""The notary's process: follows the feeds of all partitions, and has what is due signed."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from consumers.audit.anchoring import believed, log_of, signer_of, witnesses_of
from consumers.audit.cosigning import Cosigning
from consumers.audit.guarded import GuardedLog
from consumers.audit.memory import Memory
from consumers.audit.notary import Notary
from consumers.outages import Outage
from consumers.store.anchor_heads import AnchorHeads
from consumers.store.removals import Removals, Request
from consumers.views import RECORD
from consumers.views.archive.raw import RawArchive
from consumers.views.opening import open_store
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.databases import Databases
    from consumers.store.store import Store
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.settings import Settings
    from synapse_stream.tlog.folder import LogFolder
    from synapse_stream.tlog.notes import SigningKey

_logger = logging.getLogger("synapse_stream.consumers")

_POINTERS_A_TURN = 10_000
_BLOCK_MS = 250
_TURN_SECONDS = 0.2
_RETRY_SECONDS = 5.0


class NotaryLoop:
    """Signs for one deployment; `run` returns at `stop`."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is connected yet.

        Raises:
            ConfigError: there is no key, or no place for anchors, or one is wrong.
        """
        self._settings = settings
        folder, _ = signer_in(settings)
        self._cosigning = Cosigning(folder, witnesses_of(settings))
        self._outage = Outage(_logger, "anchors wait", "anchors are signed again")

    def run(self, stop: threading.Event) -> None:
        """Follow the feeds until `stop` is set; what is away is tried again."""
        cosigning = threading.Thread(target=self._cosigning.run, args=(stop,), name="cosigning")
        cosigning.start()
        self._sign(stop)
        cosigning.join()

    def _sign(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._follow(stop)
            except (OSError, LogUnavailable, ConfigError) as error:
                self._outage.tell(error)
                stop.wait(_RETRY_SECONDS)

    def _follow(self, stop: threading.Event) -> None:
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(self._settings)))
            log = opened.enter_context(closing(FeedLog.open(self._settings)))
            log.check()
            notary = open_notary(self._settings, store.databases, log)
            after = _reached(store, log)
            notary.begin(after)
            self._outage.end()
            while not stop.is_set():
                began = time.monotonic()
                found = log.wait_feeds(after, limit=_POINTERS_A_TURN, block_ms=_BLOCK_MS)
                for partition, pointers in found.items():
                    notary.take(partition, pointers, time.monotonic())
                    after[partition] = pointers[-1].entry
                log.check_same_server()
                notary.check_witnesses(self._cosigning.contradiction)
                notary.look(log.read_pointed, time.monotonic())
                stop.wait(max(0.0, began + _TURN_SECONDS - time.monotonic()))


def _reached(store: Store, log: FeedLog) -> dict[int, EntryId]:
    """Return up to where the archive has read every feed: what is before that is in it."""
    reached: dict[int, EntryId] = dict.fromkeys(range(log.keys.partitions), (0, 0))
    return reached | {one.partition: one.position for one in store.leases.checkpoints(RECORD)}


def open_notary(settings: Settings, databases: Databases, log: FeedLog) -> Notary:
    """Return what signs for a deployment.

    Raises:
        ConfigError: there is no key, or no place for anchors, or one is wrong.
    """
    return Notary(
        open_guarded(settings, databases, log),
        RawArchive(databases),
        databases,
        max_unanchored_seconds=settings.max_unanchored_seconds,
    )


def open_guarded(settings: Settings, databases: Databases, log: FeedLog) -> GuardedLog:
    """Return the log of anchors, to be added to; raises as `open_notary`."""
    folder, signer = signer_in(settings)
    keys = believed(settings)
    assert keys is not None  # noqa: S101 - that of the signer is one
    return GuardedLog(folder, signer, keys, Memory(databases, log, settings))


def signer_in(settings: Settings) -> tuple[LogFolder, SigningKey]:
    """Return where is signed, and by what; raises as `open_notary`."""
    folder, signer = log_of(settings), signer_of(settings)
    if folder is None or signer is None:
        msg = "to sign anchors takes SYNAPSE_STREAM_ANCHORS and SYNAPSE_STREAM_SIGNING_KEY"
        raise ConfigError(msg)
    return folder, signer


def voucher_of(databases: Databases) -> Callable[[int, str, int], bool]:
    """Return what tells whether it is signed that so many entries of a run are to be removed.

    It is given partition, id and entries, and asks for the signature where there is none yet. Where
    no log of anchors is remembered, nothing needs to be signed.
    """
    removals, heads = Removals(databases), AnchorHeads(databases)

    def vouch(partition: int, job_id: str, entries: int) -> bool:
        if not heads.recall():
            return True
        asked = removals.of(job_id)
        if asked is None or asked.entries != entries:
            removals.put(partition, Request(job_id, entries))
            return False
        return asked.is_signed

    return vouch
