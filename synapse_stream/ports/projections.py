"""Which projections there are: the port to the list that the consumers keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synapse_stream.ports.finding import load_entry

if TYPE_CHECKING:
    from collections.abc import Sequence


class Projections(Protocol):
    """The list of them."""

    def names(self) -> Sequence[str]:
        """Return the names of all, that of the record last."""

    def folded(self) -> Sequence[str]:
        """Return the names of those that are folded from what is recorded."""


def projections() -> Projections:
    """Return the list; no view is loaded for that.

    Raises:
        ConfigError: the consumers are not installed.
    """
    found: Projections = load_entry("synapse_stream.projections")
    return found
