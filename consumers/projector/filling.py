"""A view that is new, or an older copy: what was trimmed unread is filled from the archive."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumers.projector.rebuilder import Rebuilder
    from consumers.store.lease import Lease
    from consumers.store.store import Store
    from consumers.views.port import View
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.log.feeds import FeedLog

_logger = logging.getLogger("synapse_stream.consumers")


def fill(
    view: View, store: Store, lease: Lease, rebuilder: Rebuilder, log: FeedLog, committed: EntryId
) -> EntryId:
    """Ask for recorded jobs of a partition, if need be; return from where on to read its feed.

    So is one of another package filled that trimming did not wait for, and one of ours whose
    database is an older copy; one that was retired is asked for by who retired it. Where the
    archive is an older copy itself, nothing is filled: the view would lack it, too. Runs that
    were imported are in no feed: who imports one asks for it, but only for the views of then.
    """
    is_new, trimmed = committed == (0, 0), log.trimmed(lease.partition)
    is_behind = committed < trimmed
    is_due = is_behind or (view.is_installed and is_new)
    if view.is_record or not is_due or view.name in log.retired():
        return committed
    if is_behind and not _is_archived(store, lease.partition, trimmed):
        return committed
    if count := rebuilder.ask_recorded(only_unknown=not is_behind):
        told = "%s is filled: %d jobs of partition %d are folded from the archive"
        _logger.warning(told, view.name, count, lease.partition)
    if is_behind:
        store.leases.skip_trimmed(view.name, {lease.partition: trimmed})
    return max(committed, trimmed)


def _is_archived(store: Store, partition: int, upto: EntryId) -> bool:
    found = store.leases.checkpoints(store.databases.record)
    return any(one.partition == partition and one.position >= upto for one in found)
