"""The tree over all that is recorded of a job: did it ever have the roots that anchors tell of?

Its leaves are the archive's entries in their order, and behind them what the archive has not read.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from consumers.audit.anchors import written
from synapse_stream.entries.batch import parse_fields
from synapse_stream.entries.position import Position
from synapse_stream.entries.tree import Tree, leaf_of
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumers.audit.anchors import Anchor
    from synapse_stream.entries.batch import RawEntry


class Growth:
    """Adds entry after entry, and compares the tree with what anchors say of it."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        """Take the anchors of the job."""
        self.tree = Tree()
        self.sure: dict[str, tuple[int, bytes]] = {}
        """By producer, the highest number that a root vouches for, and the chain hash there."""
        self._finding: Finding | None = None
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.entries, []).append(anchor)
        self._last: dict[str, tuple[int, bytes]] = {}

    def add(self, entry: RawEntry) -> None:
        """Add the next entry."""
        part = parse_fields(entry.fields)
        self.tree.add(leaf_of(entry, part))
        if part is not None:
            producer = part.producer.decode()
            if part.last > self._last.get(producer, (-1, b""))[0]:
                self._last[producer] = (part.last, part.hash)
        if self.tree.size in self._anchors and self._finding is None:
            self._compare(self._anchors.pop(self.tree.size), Position(entry.ms, entry.seq))

    def judge(self) -> Iterator[Finding]:
        """Yield the first root that is another, when everything was added."""
        beyond = [size for size in self._anchors if size > self.tree.size]
        if self._finding is not None:
            yield self._finding
        elif beyond:
            yield Finding("anchor", f"{max(beyond)} entries", f"{self.tree.size}")

    def _compare(self, anchors: list[Anchor], position: Position) -> None:
        root, size = self.tree.root(), self.tree.size
        heads = sha256(written({name: [n, h.hex()] for name, (n, h) in self._last.items()}))
        for one in anchors:
            if one.root != root:
                expected = f"the root {one.root.hex()} over the first {size} entries"
                found = f"{root.hex()}: their lines, order, ids or number are others"
            elif one.heads != heads.digest():
                expected = f"heads of producers with the hash {one.heads.hex()}"
                found = heads.hexdigest()
            else:
                continue
            self._finding = Finding("anchor", expected, found, position)
            return
        self.sure = dict(self._last)
