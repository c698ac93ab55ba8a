"""The entries of a deployment's transparency log: what archived runs had come to.

Each is one line of JSON, keys sorted, no spaces. A checkpoint of the log vouches for all of them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.tree import HASH_BYTES, Tree
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1
ANCHOR, REMOVAL, BEGINNING = "anchor", "removal", "beginning"
KEY, REVOCATION = "key", "revocation"
"""Types of entries: how far a run was; that so much of it is about to be removed from the archive;
the first entry of every log; and that a key may sign from there on, or may no more."""


class Anchor(NamedTuple):
    """How far a run was."""

    entries: int
    """How many entries the archive had."""
    root: bytes
    """Of the tree over them."""
    heads: bytes
    """SHA-256 of `heads_of`."""
    is_removal: bool = False


def anchor_of(job_id: str, manifest: bytes, *, time_ms: int, is_removal: bool = False) -> bytes:
    """Return the entry that tells how far a run is, as the archive's manifest has it.

    Raises:
        ValueError: the manifest has no tree, since entries cannot be read, or is damaged.
    """
    content = orjson.loads(manifest)
    body = {
        "v": VERSION,
        "type": REMOVAL if is_removal else ANCHOR,
        "job": job_id,
        "entries": content["entries"],
        "root": tree_of(content).root().hex(),
        "heads": sha256(heads_of(content)).hexdigest(),
        "time_ms": time_ms,
    }
    return written(body)


def beginning_of(body: Mapping[str, Any]) -> bytes:
    """Return the first entry of a log, given what it tells besides."""
    return written({"v": VERSION, "type": BEGINNING, **body})


def read_entry(entry: bytes) -> dict[str, Any]:
    """Return what an entry says.

    Raises:
        DecodeError: it is none of this version, or written in another way.
    """
    try:
        body = orjson.loads(entry)
        is_ours = written(body) == entry and body["v"] == VERSION
        if body["type"] in {ANCHOR, REMOVAL}:
            of_anchor(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"it is no entry of anchors: {error!r:.200}"
        raise DecodeError(msg) from error
    if not is_ours:
        msg = f"it is no entry of version {VERSION}"
        raise DecodeError(msg)
    return dict(body)


def of_anchor(body: Mapping[str, Any]) -> Anchor:
    """Return an anchor from what `read_entry` gave.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    root, heads = bytes.fromhex(body["root"]), bytes.fromhex(body["heads"])
    if {len(root), len(heads)} != {HASH_BYTES} or type(body["entries"]) is not int:
        msg = "no anchor"
        raise ValueError(msg)
    str.encode(body["job"])
    return Anchor(body["entries"], root, heads, body["type"] == REMOVAL)


def heads_of(manifest: Mapping[str, Any]) -> bytes:
    """Return the last number of every producer and the chain hash there, as JSON."""
    producers = manifest["producers"].items()
    return written({name: [mark["last"], mark["hash"]] for name, mark in producers})


def tree_of(manifest: Mapping[str, Any]) -> Tree:
    """Return the tree over the entries that a manifest tells of.

    Raises:
        ValueError: it has none.
    """
    try:
        return Tree(manifest["entries"], bytes.fromhex(manifest["tree"]))
    except (AttributeError, KeyError, TypeError) as error:
        msg = "the archive cannot read all that it has of this job; `verify` says what"
        raise ValueError(msg) from error


def entries_of(manifest: bytes) -> int | None:
    """Return how many entries a manifest tells of; None where nothing can be signed of them.

    One that is damaged is made anew; one without a tree has entries that nobody can read.
    """
    try:
        content = orjson.loads(manifest)
        count, has_tree = content["entries"], content.get("tree", "") is not None
    except (AttributeError, orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return count if isinstance(count, int) and has_tree else None


def vouches_for_removal(anchors: Sequence[Anchor], entries: int) -> bool:
    """Tell whether it is signed that so many entries were to be removed.

    Of a run that was never anchored nothing is signed, its removal neither.
    """
    return not anchors or any(one.is_removal and one.entries == entries for one in anchors)


def written(body: Mapping[str, Any]) -> bytes:
    """Return the one way to write an entry."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
