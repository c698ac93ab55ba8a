"""Which projections there are: the port to the list that the consumers keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synapse_stream.ports.finding import load_entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Projections(Protocol):
    """The list of them."""

    def names(self) -> Sequence[str]:
        """Return the names of all, that of the record last."""

    def folded(self) -> Sequence[str]:
        """Return the names of those that are folded from what is recorded."""

    def installed(self) -> Sequence[str]:
        """Return the names of those that other packages bring."""

    def faults(self) -> Mapping[str, str]:
        """Return what is wrong with views of other packages that are left out, by their names."""


def projections() -> Projections:
    """Return the list; of views only those of other packages are loaded for that.

    Raises:
        ConfigError: the consumers are not installed.
    """
    found: Projections = load_entry("synapse_stream.projections")
    return found
