"""The decision over a spool: does its process live, is it dead for certain, is all of it here.

Pure: what is decided follows from the evidence alone. Nothing is taken for dead or whole because
nothing speaks against it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kernel(StrEnum):
    """Where the process ran."""

    THIS = "this"
    """On the kernel that runs now, in whichever container."""
    EARLIER = "earlier"
    """On this machine, which was started anew since."""
    OTHER = "other"
    """On another machine, as far as can be told."""


class Process(StrEnum):
    """What the table of processes says."""

    RUNS = "runs"
    GONE = "gone"
    UNSEEN = "unseen"
    """It counts in another namespace, or another kernel."""


class Evidence(NamedTuple):
    """What was found."""

    is_locked: bool
    """Somebody holds a lock of a home: its process, or whoever adopts it."""
    is_kept: bool | None
    """A process has a home mapped; None where no file system tells."""
    kernel: Kernel
    process: Process
    host: str
    """Where it ran, for people."""
    missing: tuple[str, ...] = ()
    """Homes that it had and that are not here, for people: where they were."""
    is_copy: bool = False
    """A home that is here is not the directory that its process made."""


class Kind(StrEnum):
    """What follows."""

    LIVING = "living"
    WHOLE = "whole"
    """Its process is dead, and all that it left is here."""
    REST = "rest"
    """Its process is dead, and so is its kernel: what was in memory only is gone."""
    PART = "part"
    """Its process is dead, and a part of what it left is not here."""
    UNPROVED = "unproved"
    """Its process may live, or this is a copy."""
    UNREADABLE = "unreadable"
    """It is damaged, of a later version, or somebody else's."""


class Verdict(NamedTuple):
    """What follows from the evidence, and why."""

    kind: Kind
    reason: str = ""


def judge(evidence: Evidence) -> Verdict:
    """Decide over a spool."""
    if evidence.is_locked or evidence.is_kept:
        return Verdict(Kind.LIVING)
    if evidence.is_copy:  # who holds the original is not seen here
        return Verdict(Kind.UNPROVED, "it is a copy of a spool; the original may be in use")
    doubt = _doubt_of_death(evidence)
    if doubt is None:
        return _judge_dead(evidence)
    return doubt


def _doubt_of_death(evidence: Evidence) -> Verdict | None:
    if evidence.kernel is Kernel.OTHER:
        reason = f"its process ran on another machine, {evidence.host}, and may live there"
        return Verdict(Kind.UNPROVED, reason)
    if evidence.kernel is Kernel.EARLIER or evidence.is_kept is False:
        return None
    if evidence.process is Process.RUNS:
        return Verdict(Kind.LIVING)
    if evidence.process is Process.UNSEEN:
        reason = f"its process ran in another container, {evidence.host}, and may live there"
        return Verdict(Kind.UNPROVED, reason)
    return None


def _judge_dead(evidence: Evidence) -> Verdict:
    if evidence.missing:
        where = " and ".join(evidence.missing)
        reason = f"a part of it is not here: {where} on {evidence.host}"
        return Verdict(Kind.PART, reason)
    return Verdict(Kind.REST if evidence.kernel is Kernel.EARLIER else Kind.WHOLE)
