"""One line of a run and its proof, as one small file: no other line is in it, but for its leaf's.

Whoever has a root of the run from elsewhere, or the verifier keys of the log, can verify it without
us: see docs/verify_disclosure.py.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from consumers.audit.anchors import of_anchor, read_entry
from consumers.audit.certificate import anchored
from consumers.audit.heads import Heads
from synapse_stream.entries.batch import decode_fields, parse_fields
from synapse_stream.entries.erasing import numbered_leaves
from synapse_stream.entries.tree import leaf_of, root_of_all
from synapse_stream.ports.audit import CannotDisclose, Disclosure
from synapse_stream.tlog.proofs import inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumers.audit.certificate import Evidence
    from consumers.views.archive.raw import StoredBlock
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.leaves import Leaf
    from synapse_stream.entries.position import Position

VERSION = 1


class _Found(NamedTuple):
    """The batch of a line in the archive."""

    number: int
    """Of its entry."""
    batch: Batch
    previous: bytes
    leaves: Sequence[bytes]
    """Of the tree over all entries."""


def disclosure(
    job_id: str, blocks: Iterable[StoredBlock], position: Position, evidence: Evidence | None
) -> Disclosure:
    """Return a line of a run that was verified; anchored, where `evidence` is behind its entry.

    Raises:
        CannotDisclose: no such line is archived, it was erased, or its proof cannot be made.
        DecodeError: the log has other hashes than entries.
    """
    number, batch, previous, leaves = _find(job_id, blocks, position)
    place, first, last, leaf, hashes = _leaf(batch, position)
    if evidence is not None:
        entries = of_anchor(read_entry(evidence.entry)).entries
        evidence = evidence if number < entries else None
        leaves = leaves[: entries if evidence else None]
    root = root_of_all(leaves).hex()
    body: dict[str, Any] = {
        "synapse_stream_disclosure": VERSION,
        "job": job_id,
        "lines": _text(leaf),
        "leaf": {"salt": leaf.salt.hex(), **_path(place, hashes)},
        "batch": {
            "id": position.entry_id,
            "producer": batch.producer,
            "first": batch.first,
            "last": batch.last,
            "previous": previous.hex(),
        },
        "entry": _path(number, leaves),
        **(anchored(evidence) if evidence else {"anchor": None, "checkpoints": []}),
    }
    content = orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
    is_anchored = evidence is not None
    return Disclosure(content, batch.producer, first, last, root, len(leaves), is_anchored)


def _find(job_id: str, blocks: Iterable[StoredBlock], position: Position) -> _Found:
    """Walk the archive of a run; its first entry of that id counts."""
    leaves: list[bytes] = []
    heads: dict[bytes, Heads] = {}
    found: tuple[int, Batch, bytes] | None = None
    for block in blocks:
        for entry in () if isinstance(block.content, str) else block.content:
            part = parse_fields(entry.fields)
            if part is not None and found is None:
                mine = heads.setdefault(part.producer, Heads())
                if entry[:2] == position[:2]:
                    batch = decode_fields(job_id, entry.fields)
                    found = len(leaves), batch, _previous(batch, mine)
                mine.add(part.last, part.hash)
            leaves.append(leaf_of(entry, part))
    if found is None:
        msg = f"the archive of {job_id!r} has no entry {position.entry_id}, or not yet"
        raise CannotDisclose(msg)
    return _Found(*found, leaves)


def _previous(batch: Batch, heads: Heads) -> bytes:
    for head in heads.at(batch.first - 1):
        if batch.is_linked_to(head):
            return head
    msg = (
        f"number {batch.first} of {batch.producer} follows what came again after the server lost "
        "its tail; of such a batch there is no proof that stands alone"
    )
    raise CannotDisclose(msg)


def _leaf(batch: Batch, position: Position) -> tuple[int, int, int, Leaf, Sequence[bytes]]:
    """Return which leaf a line is in, its first and last number, the leaf, and all hashes."""
    numbered = list(numbered_leaves(batch))
    hashes, before = [leaf.hash for _, _, leaf in numbered], 0
    for place, (first, last, leaf) in enumerate(numbered):
        before += last - first + 1
        if position.index < before:
            if leaf.is_erased:
                msg = f"line {position} of {batch.job_id} was erased, so nobody can show it"
                raise CannotDisclose(msg)
            return place, first, last, leaf, hashes
    msg = f"entry {position.entry_id} of {batch.job_id} has {before} lines, so none at {position}"
    raise CannotDisclose(msg)


def _text(leaf: Leaf) -> str:
    try:
        return leaf.lines.decode()
    except UnicodeDecodeError as error:
        msg = f"the line is no UTF-8: {error}"
        raise CannotDisclose(msg) from error


def _path(number: int, leaves: Sequence[bytes]) -> dict[str, Any]:
    """Return where a leaf stands in a tree, and the proof that it does."""

    def part(level: int, place: int) -> bytes:
        return root_of_all(leaves[place << level : (place + 1) << level])

    proof = inclusion(number, len(leaves), part)
    return {
        "number": number,
        "size": len(leaves),
        "proof": [b64encode(one).decode() for one in proof],
    }
