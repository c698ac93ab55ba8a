"""The partitions of one consumer that stand still, while it goes on with the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from consumers.outages import Outage
from synapse_stream.errors import Trimmed

if TYPE_CHECKING:
    from consumers.projector.partition import Held
    from synapse_stream.log.feeds import FeedLog

_logger = logging.getLogger("synapse_stream.consumers")


class Aside:
    """Partitions of which what follows was trimmed unread, and is not archived."""

    def __init__(self, name: str) -> None:
        self.held: dict[int, Held] = {}
        self._name = name
        self._outages: dict[int, Outage] = {}

    def begin(self, held: Held, log: FeedLog) -> bool:
        """Begin to read a partition; return False if it is to be set aside."""
        partition = held.lease.partition
        which = f"partition {partition} of {self._name}"
        outage = self._outages.setdefault(
            partition, Outage(_logger, f"{which} stands still", f"{which} goes on")
        )
        try:
            held.begin(log)
        except Trimmed as gap:
            outage.tell(gap)
            self.held[partition] = held
            return False
        outage.end()
        self.held.pop(partition, None)
        return True
