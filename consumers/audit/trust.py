"""How far the anchors of a deployment can be believed: are all there that are remembered?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from consumers.audit.anchoring import anchors_of, keys_of
from consumers.audit.anchors import AnchorBook, vouches_for_removal
from consumers.audit.memory import Memory
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.audit.anchors import Anchor
    from consumers.audit.memory import Head
    from synapse_stream.entries.keys import Keys
    from synapse_stream.settings import Settings

_NEITHER = "there are no anchors: a cut tail or a re-chained suffix would not be found"
_NO_KEY = "there is no key, so no anchor was checked: a re-chained suffix would not be found"


class Trust:
    """Reads the anchors once. What it cannot read it does not believe."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        """Take the settings of a deployment and its keys on the server; nothing is read yet.

        Raises:
            ConfigError: a URL or a key is wrong.
        """
        self._namespace = settings.namespace
        self._partitions = keys
        self._keys = keys_of(settings)
        self._place = anchors_of(settings)
        self._memory = Memory(settings)
        self._book: AnchorBook | None = None
        self._heads: dict[int, dict[str, Head]] = {}

    def read(self) -> None:
        """Read the anchors, if that was not done.

        Raises:
            OSError: they cannot be read.
        """
        if self._book is None and self._place and self._keys:
            mine = {self._name(one) for one in range(self._partitions.partitions)}
            files = ((name, lines) for name, lines in self._place.files() if name in mine)
            self._book = AnchorBook(self._keys, files)

    def of(self, job_id: str) -> list[Anchor]:
        """Return the anchors of a job."""
        return self._book.of(self._namespace, job_id) if self._book else []

    def jobs(self) -> list[str]:
        """Return the jobs that are anchored."""
        return self._book.jobs(self._namespace) if self._book else []

    def findings(self, job_id: str) -> Iterator[Finding]:
        """Yield what is wrong with the file in which the anchors of a job are."""
        if self._book is None:
            return
        partition = self._partitions.partition(job_id)
        name = self._name(partition)
        yield from self._book.findings_in(name)
        digests = self._book.digests(name)
        for place, head in self._recall(partition).items():
            if head.no < len(digests) and digests[head.no] != head.digest:
                expected = f"{head.digest}, as {place} remembers line {head.no + 1} of {name}"
                yield Finding("anchor", expected, digests[head.no])

    def doubts(self, job_id: str) -> Iterator[str]:
        """Yield why anchors that were asked for cannot vouch for a job."""
        if self._place is None:
            if self._keys is not None:
                yield f"{_NEITHER}; a key is set, but no place for them"
            return
        if self._book is None:
            yield _NO_KEY
            return
        partition = self._partitions.partition(job_id)
        name = self._name(partition)
        count = len(self._book.digests(name))
        if not count:
            yield f"there are no anchors in {name}, or they cannot be read"
        for place, head in self._recall(partition).items():
            if count <= head.no:
                yield f"there are {count} anchors in {name}, but {place} remembers {head.no + 1}"

    def notes(self, job_id: str) -> Iterator[str]:
        """Yield what must be known of the anchors, though it is no doubt."""
        if self._place is None and self._keys is None:
            yield _NEITHER
        elif self._book:
            partition = self._partitions.partition(job_id)
            if begun := self._memory.begun(partition):
                yield f"the anchors in {self._name(partition)} {_since(begun)}"

    def vouches_for_removal(self, job_id: str, entries: int) -> bool:
        """Tell whether it is signed that so many entries of a job were to be removed."""
        return self._book is None or vouches_for_removal(self.of(job_id), entries)

    def begin_anew(self) -> Iterator[str]:
        """Have anchors begin anew where they are not what is remembered; yield what is lost."""
        self.read()
        for partition in range(self._partitions.partitions):
            name = self._name(partition)
            digests = self._book.digests(name) if self._book else ()
            heads = self._recall(partition).values()
            if any(len(digests) <= head.no or digests[head.no] != head.digest for head in heads):
                lost = max(head.no + 1 for head in heads)
                self._memory.forget(partition, lost)
                yield f"{name} has {len(digests)} anchors; {lost} were remembered"

    def _recall(self, partition: int) -> dict[str, Head]:
        if partition not in self._heads:
            self._heads[partition] = self._memory.recall(partition)
        return self._heads[partition]

    def _name(self, partition: int) -> str:
        assert self._place is not None  # noqa: S101 - who asks has one
        return self._place.name(self._namespace, partition)


def _since(begun: dict[str, object]) -> str:
    lost, time_ms = begun.get("lost"), begun.get("time_ms")
    when = "at some time"
    if isinstance(time_ms, int):
        when = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
    return f"were begun anew at {when} by `anchors init`: {lost} that were there before are gone"
