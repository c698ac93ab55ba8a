"""The ledger: what a projection has folded of each producer of a job, and what is missing.

High-water marks drop what is known, event by event, so a batch may come again, with another id or
cut differently. A number that was missing is still taken when it comes after all.

Document: `producers`: id → `last` (highest number folded, -1 none), `rank` (null: a forked child),
`attempt`, and where there are any `sealed` (how many events the producer says it made), `missing`
(ranges of numbers) and `shed` (counts by type of events that never got a number); `starts`: rank →
its latest attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumers.projections.base import Delivery
    from synapse_stream.batch import Batch


class Ledger:
    """Decides which events of a batch are fresh, and which attempt and rank they belong to."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        """Go on from `document`, which becomes the ledger's own, or begin a new job."""
        raise NotImplementedError

    def admit(self, ms: int, seq: int, batch: Batch, events: list[Any]) -> list[Delivery]:
        """Note the events of the stream entry `ms`-`seq` as folded; return those not folded before.

        Normally that is one delivery or none. A `run_started` begins a delivery of its own, because
        it decides about rank and attempt.
        """
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """Return the state as JSON-able dict; it is the ledger's own, so do not change it."""
        raise NotImplementedError
