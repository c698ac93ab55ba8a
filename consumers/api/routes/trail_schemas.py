"""What answers about the operators' trail look like; see `schemas`."""

from __future__ import annotations

from typing import Any, Literal

from consumers.api.schemas import Answer, Micros, Place, Shape


class ActShape(Shape):
    """Something that an operator did."""

    position: Place
    time: Micros
    act: str
    """What, as `token revoke`."""
    id: str
    by: str
    """A user of the host, or `token` and its name."""
    host: str | None
    origin: str | None
    """The command line, or the address that asked."""
    reason: str | None
    jobs: list[str]
    before: dict[str, Any]
    """What was asked for, and what was there before."""
    outcome: Literal["done", "failed"] | None
    """Null: it is being done, or was cut short."""
    error: str | None
    after: dict[str, Any] | None
    """What was there then."""


class TrailAnswer(Answer):
    """Acts, the oldest first."""

    acts: list[ActShape]
