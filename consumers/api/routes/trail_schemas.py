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


class HoldShape(Shape):
    """A hold on a run: nothing is removed of it."""

    since: Micros
    label: str | None
    """The label that it is on; null: the job itself."""
    by: str | None
    """Told to operators of all jobs, like the reason."""
    reason: str | None


class SignOffShape(Shape):
    """A sign-off that was asked for; `verify` tells whether it holds."""

    time: Micros
    name: str
    meaning: str
    is_done: bool
    """False: it failed, or was cut short."""


class StandingAnswer(Answer):
    """What people say of a run."""

    holds: list[HoldShape]
    sign_offs: list[SignOffShape]
    can_sign: bool
    """True when the caller may sign it off here."""


class SignOffAnswer(Answer):
    """A sign-off that was made."""

    entries: int
    root: str
    """Of the tree over so many entries, hex."""
    key: str
    """The public key, hex."""
