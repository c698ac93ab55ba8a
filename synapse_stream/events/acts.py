"""Events of the operators' trail: what is about to be done, and what came of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synapse_stream.events.wire import Event, FreeMapping


class Act(Event):
    """Somebody is about to change what is recorded or shown; written before it is done."""

    type: Literal["act"] = "act"
    v: Literal[1] = 1
    act: str
    """What is done, as `token revoke`."""
    id: str
    """By which its `outcome` names it."""
    by: str
    """Who: a user of the host, or the name of a token."""
    host: str | None = None
    """Whose process does it."""
    origin: str | None = None
    """From where: the command line, secrets masked, or the address that asked."""
    reason: str | None = None
    jobs: list[str] = Field(default_factory=list)
    """The jobs that it is about, where it is about some."""
    before: FreeMapping = Field(default_factory=dict)
    """What is asked for, and what was there before."""


class ActOutcome(Event):
    """What came of an act. An act without one was cut short: nobody knows whether it was done."""

    type: Literal["outcome"] = "outcome"
    v: Literal[1] = 1
    id: str
    """Of the act."""
    outcome: Literal["done", "failed"]
    """`failed` may have done a part."""
    error: str | None = None
    after: FreeMapping = Field(default_factory=dict)
    """What is there now."""
