"""What a view says that it has put aside: was it recorded, and is all of it still there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from consumers.folding.port import Parked


class Parking:
    """Compares what is parked with what a fresh fold does not take."""

    def __init__(self, name: str, parked: Sequence[tuple[str, int]]) -> None:
        """Take a view's name, and producers and numbers of what it has parked."""
        self._name = name
        self._parked = set(parked)
        self._met: set[tuple[str, int]] = set()

    def take(self, parked: Parked) -> None:
        """Take what a fresh fold has parked, be it that the view has it so."""
        if parked.producer is not None and parked.number is not None:
            self._met.add((parked.producer, parked.number))

    def made_up(self, known: Mapping[str, int]) -> Finding | None:
        """Return the first event that is parked and was never recorded, or not folded yet.

        Args:
            known: the highest number that the view has of every producer.
        """
        for producer, number in sorted(self._parked - self._met):
            found = f"one of {producer} with number {number}, of which {known.get(producer, -1)}"
            expected, place = "parked events that are recorded", (None, producer, (number, number))
            return Finding(self._name, expected, f"{found} is the last", *place)
        return None

    def notes(self, retried: Collection[tuple[str, int]]) -> list[str]:
        """Return how much is parked, and what is not any more, though no fold takes it.

        Args:
            retried: what was folded late.
        """
        gone = sorted(self._met - self._parked - set(retried))
        notes = [f"{self._name} has parked events: {len(self._parked)}"] if self._parked else []
        if gone:
            producer, number = gone[0]
            notes.append(
                f"{self._name} cannot fold {len(gone)} events that are parked no more, the first is"
                f" number {number} of {producer}: they were dropped, or their rows are gone"
            )
        return notes
