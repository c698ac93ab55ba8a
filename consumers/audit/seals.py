"""What a batch says about its producer's end, and about what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.folding.decoding import event_of
from consumers.folding.ledger import stands_for_range
from synapse_stream.entries.batch import sealed_count

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch


def sealed(batch: Batch) -> int | None:
    """Return how many events a batch says that there are of its producer; None if it is no end."""
    line = batch.data[batch.data.rfind(b"\n", 0, -1) + 1 :]
    count = sealed_count(batch) if b'"end"' in line else None
    if count is None and b'"producer_lost"' in line and is_abandoned(batch):
        return batch.last + 1
    return count


def is_loss(batch: Batch) -> bool:
    """Tell whether a batch is one `loss` event in the place of several numbers."""
    if batch.first == batch.last or batch.data.find(b"\n") != len(batch.data) - 1:
        return False
    return stands_for_range(batch, [event_of(batch.data)])


def is_abandoned(batch: Batch) -> bool:
    """Tell whether a batch ends with what is written for a producer that died."""
    last = batch.data.rstrip(b"\n").rpartition(b"\n")[2]
    return event_of(last).get("type") == "producer_lost"
