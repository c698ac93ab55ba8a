"""Errors of the consumers, beside those of `synapse_stream.errors`.

SynapseStreamError
├── LeaseLost         (also RuntimeError)     another consumer has taken over a partition
├── AnchorsRefused    (also OSError)          the log of anchors is not what is remembered
├── OutdatedFold      (also ValueError)       another version of a projection wrote a document
├── StoreUnavailable  (also ConnectionError)  the database did not take or answer a statement
│   ├── CannotStore                           for what is in the statement: it never will
│   └── StoreDamaged                          for what is stored there
└── DecodeError
    └── Unreadable                            what is stored of a job of a projection
"""

from __future__ import annotations

from synapse_stream.errors import DecodeError, SynapseStreamError


class LeaseLost(SynapseStreamError, RuntimeError):
    """Another consumer has taken over the partition; nothing was written, nor may be again."""


class StoreUnavailable(SynapseStreamError, ConnectionError):
    """The database could not be reached, or refused the statement; later it may work.

    Whether a commit that ended so took effect is unknown: load the folds again before the next.

    Attributes:
        reason: what is wrong, the same whichever statement it came to light with.
        detail: which statement that was, and what the database said.
        place: which database it is.
    """

    def __init__(self, reason: str, detail: str = "", place: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.place = place


class StoreDamaged(StoreUnavailable):
    """The database finds that what it has stored there is damaged."""


class CannotStore(StoreUnavailable):
    """The database refuses what a statement holds, and would refuse it again."""


class AnchorsRefused(SynapseStreamError, OSError):
    """The log of anchors does not follow from what is remembered: nothing is signed."""


class OutdatedFold(SynapseStreamError, ValueError):
    """Another version of the projection wrote this job's document; its job must be folded anew."""


class Unreadable(DecodeError):
    """What is stored of a job cannot be read: it was damaged, or changed by another hand.

    Attributes:
        reason: of which job and which projection that is, and what comes of it.
        detail: what cannot be read.
    """

    def __init__(self, projection: str, job_id: str, detail: str) -> None:
        self.projection = projection
        self.job_id = job_id
        self.reason = f"the {projection} of job {job_id!r} is damaged in the store"
        self.detail = detail
        super().__init__(f"{self.reason} ({detail})")
