"""What is asked of views beside `JobView`: how they refuse an event, what rows and folds can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from consumers.folding import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.folding.differing import Difference
    from consumers.folding.marks import Mark
    from synapse_stream.entries.position import Position


class Parked(NamedTuple):
    """An event, or a whole stream entry, that could not be folded."""

    job_id: str
    position: Position
    reason: str
    raw: bytes
    """The event's line, cut at 512 KiB; of an entry that is no batch, the `repr` of its fields, cut
    at 64 KiB."""
    producer: str | None
    number: int | None
    """The producer's number of the event; both are None for an entry that is no batch."""


class CannotApply(Exception):
    """The event at `index` of a delivery cannot be applied.

    Everything before it was applied, nothing of it and nothing behind it.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


def refusal(error: BaseException) -> str:
    """Return why an event is refused; for an error that no rule foresaw, with its type."""
    return str(error) if isinstance(error, checks.Unfit) else f"{type(error).__name__}: {error}"


class Rows(Protocol):
    """What a view adds to its table, or has there, of one job, in the order of the fold.

    What a store holds and what a fresh fold gives are compared, whatever batches, chunks and
    database they went through. After a server lost its tail, the same events come again under other
    ids, and those of several ranks in another order: then only that can be equal which does not
    depend on ids, and this is what `positions=False` leaves.
    """

    def __len__(self) -> int:
        """Return 0 when there are none."""

    def canonical(self, *, positions: bool = True) -> bytes:
        """Return them in their one form."""

    def is_same(self, other: Any, *, positions: bool = True) -> bool:
        """Tell whether the canonical form of `other` is the same."""

    def first_difference(self, found: Any) -> Difference | None:
        """Return where `found` differs from these first."""


class Fold(Protocol):
    """One job as a projection drives it: `JobFold`, or that of the archive."""

    job_id: str

    @property
    def has_changed(self) -> bool:
        """True when something was folded since `rows` was called last."""

    def apply(self, recorded: Any, /, *, refused: str | None = None) -> Sequence[Parked]:
        """Fold what is fresh of one stream entry; return what could not be folded.

        With `refused` all of it is parked for that reason.
        """

    def retry(self, parked: Parked, /) -> str | None:
        """Fold an event that was parked; return why it cannot be folded, None when it was."""

    def document(self) -> bytes:
        """Return what must be remembered of the job to go on."""

    def rows(self) -> Any:
        """Return what the writer has to add since the last call."""

    def marks(self) -> Sequence[Mark]:
        """Return the marks that were passed since the last call."""
