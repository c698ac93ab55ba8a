"""Events about the processes of a run: how each begins, that it lives, and how it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synapse_stream.events.wire import Count, Event, FreeData, FreeMapping, Wire
from synapse_stream.models import RunStatus


class Identity(Wire):
    """By which token a producer reports, without the token; see `remote.identity`."""

    said: str
    """What the token says, as it stands in it."""
    proof: str
    """The job and the producer's name, signed with the token."""


class RunStarted(Event):
    """A process opened a run; of rank 0 it begins an attempt."""

    type: Literal["run_started"] = "run_started"
    v: Literal[1] = 1
    action: str | None = None
    plugin: str | None = None
    host: str
    pid: int
    rank: int
    attempt: int | None = None
    """None: the next attempt of the job, as its stream tells."""
    python: str | None = None
    sdk: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that were there, by name."""
    code: dict[str, str] | None = None
    """Commit and branch of the work tree that it was started in, if it was in one of git."""
    machine: FreeMapping = Field(default_factory=dict)
    """What it runs on: system, architecture, number of CPUs."""
    params: FreeData = None
    """Parameters of the action, secrets redacted."""
    labels: FreeMapping = Field(default_factory=dict)
    identity: Identity | None = None


class Joined(Event):
    """First event of a producer that opens no run: a child process of the one that did."""

    type: Literal["joined"] = "joined"
    v: Literal[1] = 1
    parent: str | None = None
    """Id of the producer that opened the run; None: not known."""
    host: str | None = None
    pid: int | None = None
    identity: Identity | None = None


class Resumed(Event):
    """First event of a producer that goes on for another one, whose name was taken."""

    type: Literal["resumed"] = "resumed"
    v: Literal[1] = 1
    producer: str
    """Id of the other one."""
    last: Annotated[int, Field(ge=-1)]
    """Last number of the other one that surely is the process's own; -1: none is."""
    host: str | None = None
    pid: int | None = None
    rank: int | None = None
    reason: str
    identity: Identity | None = None


class Heartbeat(Event):
    """A sign of life of a producer with nothing to report."""

    type: Literal["heartbeat"] = "heartbeat"
    v: Literal[1] = 1


class Terminating(Event):
    """The process was asked to end; whether it does, later events tell."""

    type: Literal["terminating"] = "terminating"
    v: Literal[1] = 1
    signal: str
    """Name of the signal: SIGTERM, SIGHUP, SIGINT."""


class Child(Wire):
    """A child process that reported events of its own."""

    producer: str
    pid: int | None = None


class ProducerLost(Event):
    """A producer died without `end`; whoever adopted its spool says so, as its next number."""

    type: Literal["producer_lost"] = "producer_lost"
    v: Literal[1] = 1
    host: str | None = None
    pid: int | None = None
    rank: int | None = None
    last: Annotated[int, Field(ge=-1)]
    """Its last number before this event."""
    reason: str
    children: list[Child] | None = None
    """Child processes of the same host that reported: the first 1,000 of them."""
    child_count: Count | None = None
    """How many there are."""


class Loss(Event):
    """Events that are not in the stream, counted by type."""

    type: Literal["loss"] = "loss"
    v: Literal[1] = 1
    counts: dict[str, Count]
    first: Count | None = None
    """With `last` the numbers this event stands for; None: shed before they had a number."""
    last: Count | None = None
    reason: str
    uncounted: bool = False
    """True: more than `counts` says, nobody knows how many."""


class End(Event):
    """The last event of a producer."""

    type: Literal["end"] = "end"
    v: Literal[1] = 1
    status: Annotated[RunStatus, Field(strict=False)] | None
    """None: this producer leaves, and the run goes on."""
    error: str | None = None
    result: FreeData = None
    count: Annotated[int, Field(ge=1)]
    """Events of this producer, this one included."""
    rank: int | None = None
    children: list[Child] | None = None
    """Child processes of the same host that reported: the first 1,000 of them."""
    child_count: Count | None = None
    """How many there are."""
    signal: str | None = None
    """A signal that had asked the process to end before it ended as `status` says."""
