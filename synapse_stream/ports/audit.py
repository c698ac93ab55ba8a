"""The port through which runs are verified, and what verifying one finds.

Who has the store is found through an entry point, as with `ports.views`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from synapse_stream.errors import SynapseStreamError
from synapse_stream.ports.finding import load_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_stream.entries.erasing import Erasure
    from synapse_stream.entries.position import Position
    from synapse_stream.settings import Settings


class Verdict(StrEnum):
    """What verifying a run comes to."""

    INTACT = "intact"
    """Every producer, child processes too, has sealed its count; all is as it was written."""
    OPEN = "open"
    """So far everything is as it was written; the run goes on, or its end is not known."""
    REMOVED = "removed"
    """It was removed from the archive, as the settings have it; there is nothing to verify."""
    BROKEN = "broken"
    UNVERIFIED = "unverified"
    """It could not be verified; the notes say why."""
    UNKNOWN = "unknown"
    """Neither stream, archive, a view nor an anchor knows such a job."""


class Finding(NamedTuple):
    """One difference between what is there and what must be there."""

    what: str
    """`entry`, `chain`, `numbers`, `seal`, `block`, `manifest`, `stream`, `erasure`,
    `anchor`, `sign-off`, or a view."""
    expected: str
    found: str
    position: Position | None = None
    producer: str | None = None
    numbers: tuple[int, int] | None = None
    """First and last of the producer's events that it is about."""


@dataclass(frozen=True, slots=True)
class ProducerReport:
    """What is recorded of one producer."""

    producer: str
    last: int
    """Its highest number."""
    sealed: int | None
    """How many events it made; None while neither it nor who went on for it has said."""
    lost: Sequence[tuple[int, int]]
    """Numbers in whose place a `loss` event stands: their events were never recorded."""
    anchored: int
    """Up to which number a signed checkpoint vouches for it; -1 for none."""
    shed: Mapping[str, int]
    """By type, events that were given up before they had a number, as `loss` events say."""
    head: bytes | None = None
    """The chain hash at `anchored`; None for none."""
    identity: str | None = None
    """Whose token it reported with, by name and id, if its record proves that."""


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying one run found."""

    job_id: str
    verdict: Verdict
    """The worse one of the next two."""
    record: Verdict
    """Over streams, archive and anchors."""
    view: Verdict
    """Over the views: INTACT, BROKEN, UNVERIFIED where one is of another version, or UNKNOWN where
    there is none."""
    entries: int
    events: int
    archived: int
    """How many of the entries the archive has."""
    producers: Sequence[ProducerReport]
    views: Mapping[str, Position | None]
    """Up to where each view was compared with a fresh fold; None where it has nothing yet."""
    anchors: int
    """How many signed checkpoints of the run there are."""
    findings: Sequence[Finding]
    """The first difference first."""
    notes: Sequence[str]
    """What is no difference, but must be known."""
    erasures: Sequence[Erasure] = ()
    """Lines that were erased, by whom and why; their leaves are still proved."""

    @property
    def is_sound(self) -> bool:
        """True when nothing differs and all was verified."""
        return self.verdict in {Verdict.INTACT, Verdict.OPEN}


class CannotDisclose(SynapseStreamError):
    """A line is not there, or there is no proof of it."""


class Disclosure(NamedTuple):
    """A line of a run with its proof, for others to verify."""

    content: bytes
    """Of the file."""
    producer: str
    first: int
    last: int
    """The numbers of the lines that it shows: those that share a leaf with the one asked for."""
    root: str
    """Of the tree (hex) to which the proof leads."""
    entries: int
    """Over how many entries of the run that tree stands."""
    is_anchored: bool
    """True when the file has the proof that the log vouches for that root."""


class Auditor(Protocol):
    """Verifies runs; nothing is written."""

    def verify(self, job_id: str) -> Report:
        """Verify one run: chains, numbers, seals, archive, stream, views and anchors.

        What stands there and cannot be read at all makes that run UNVERIFIED, and no other.

        Raises:
            LogUnavailable: the server did not answer.
            SynapseStreamError: the anchors could not be read.
        """

    def certify(self, job_id: str) -> tuple[Report, bytes | None]:
        """Verify one run, and return what proves it up to its newest anchor, for others to verify.

        None where the run is not sound, or has no anchor. Raises as `verify`.
        """

    def disclose(self, job_id: str, position: Position) -> tuple[Report, Disclosure | None]:
        """Verify one run, and return one of its lines with what proves it, for others to verify.

        None where the run is not sound. Raises as `verify`, and CannotDisclose: no such line is
        archived, it was erased, or its proof cannot be made.
        """

    def jobs(self) -> Iterator[str]:
        """Yield the ids of all jobs that archive, views or anchors know, each once."""

    def close(self) -> None:
        """Disconnect."""


def open_auditor(settings: Settings, *, witnesses: int = 0) -> Auditor:
    """Open the auditor of a deployment; so many witnesses must vouch for its anchors.

    Raises:
        ConfigError: what serves it is not installed, or a setting is wrong.
    """
    auditor: Auditor = load_entry("synapse_stream.audit")(settings, witnesses=witnesses)
    return auditor
