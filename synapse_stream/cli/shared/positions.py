"""Positions as somebody types them."""

from __future__ import annotations

from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.entries.position import Position


def position_of(text: str) -> Position:
    """Read a position.

    Raises:
        WrongUse: it is none.
    """
    try:
        return Position.parse(text)
    except ValueError as error:
        raise WrongUse(str(error)) from error
