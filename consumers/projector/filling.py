"""A view that is new, where what it lacks was trimmed: it is filled from the archive by itself."""

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
    """Ask for all recorded jobs of a partition, if need be; return from where on to read its feed.

    So is one of another package filled that trimming did not wait for. What of ours has been here
    before may be an older copy, and one that was retired is asked for by who retired it.
    """
    if view.is_record or (committed > (0, 0) and not view.is_installed):
        return committed
    trimmed = log.trimmed(lease.partition)
    if committed >= trimmed or view.name in log.retired():
        return committed
    count = rebuilder.ask_all()
    store.leases.skip_trimmed(view.name, {lease.partition: trimmed})
    told = "%s: feed %d begins behind what it has, so %d jobs are folded from the archive"
    _logger.warning(told, view.name, lease.partition, count)
    return trimmed
