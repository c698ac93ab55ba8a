"""Events of operators: what is about to be done, what came of it, and sign-offs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synapse_stream.events.wire import Count, Event, FreeMapping


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


class SignedOff(Event):
    """Somebody vouches for a run as it is recorded; an event of that run, behind its end."""

    type: Literal["signed_off"] = "signed_off"
    v: Literal[1] = 1
    name: str
    """Who, as they call themselves; whose key it is says `verify`."""
    meaning: str
    """What for, as `reviewed` or `approved for release`."""
    entries: Count
    """How many entries the run had: all before this one that whoever signed has seen."""
    root: str
    """Of the tree over these (hex)."""
    key: str
    """Ed25519 public key (hex)."""
    signature: str
    """Of what `operating.sign_off.statement` makes of this event and its job (hex)."""
