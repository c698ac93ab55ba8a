r"""What a batch's chain hash is taken over: the root of a tree over salted leaves of its lines.

    leaf = SHA-256(0x00 ‖ salt ‖ lines)          root = RFC 9162's over the leaves, in their order

Consecutive lines of metrics and progress share a leaf, every other line has its own: so a line can
go, and what a reader still has of the batch is proved as before by the leaf that stays. Without the
salt nobody can tell by a leaf whether a line that he guesses was the one.

The salts come with the batch. From its producer they are a *seed* of 16 bytes: salt number i is
bytes 16·i to 16·i + 15 of SHAKE-256(seed). Where a line was erased the seed is gone, since it gives
all salts; in its place stand *parts*, one a leaf: of a leaf that is there 0x00, how many lines it
has (4 bytes, little endian) and its salt, of one that was erased 0x01, that number, and the leaf.
"""

from __future__ import annotations

import re
from hashlib import sha256, shake_256
from itertools import islice
from typing import NamedTuple

from synapse_stream.entries.tree import HASH_BYTES, root_of_all

SEED_BYTES = 16

_SALT_BYTES = 16
_COUNT_BYTES = 4
_LEAF = b"\0"
_KEPT, _ERASED = 0, 1
_SIZES = (1 + _COUNT_BYTES + _SALT_BYTES, 1 + _COUNT_BYTES + HASH_BYTES)
_LINES = re.compile(rb"[^\n]*+\n|[^\n]++")
_SHARED = rb'(?:\{"seq":\d++,"time":\d++,"type":"(?:metrics|progress)"[^\n]*+\n)++'
_ALL_SHARED = re.compile(_SHARED + rb"\Z")
_PIECES = re.compile(_SHARED + rb"|[^\n]*+\n|[^\n]++")


class Leaf(NamedTuple):
    """Lines that are kept or erased together."""

    lines: bytes
    """What stands there now."""
    salt: bytes
    """Empty where the lines were erased."""
    hash: bytes

    @property
    def is_erased(self) -> bool:
        """True when `lines` stand in for what `hash` was taken over."""
        return not self.salt


def are_salts(salts: bytes) -> bool:
    """Tell whether this is a seed, or parts."""
    if len(salts) == SEED_BYTES:
        return True
    place = 0
    while place < len(salts) and salts[place] <= _ERASED:
        place += _SIZES[salts[place]]
    return 0 < place == len(salts)


def have_lines(salts: bytes, data: bytes) -> bool:
    """Tell whether parts have as many lines as there are; a seed fits any."""
    if len(salts) == SEED_BYTES:
        return True
    return sum(count for _, count, _ in _parts(salts)) == len(_LINES.findall(data))


def root_of(salts: bytes, data: bytes) -> bytes:
    """Return the root (32 bytes) over the leaves of a batch's lines.

    Raises:
        ValueError: the salts are none, or those of other lines.
    """
    if len(salts) != SEED_BYTES:
        return root_of_all([leaf.hash for leaf in leaves_of(salts, data)])
    if _ALL_SHARED.match(data):  # as at full speed: nothing is copied
        digest = sha256(_LEAF + shake_256(salts).digest(_SALT_BYTES))
        digest.update(data)
        return digest.digest()
    pieces = _PIECES.findall(data)
    salt = shake_256(salts).digest(_SALT_BYTES * len(pieces))
    starts = range(0, len(salt), _SALT_BYTES)
    return root_of_all(
        [
            sha256(_LEAF + salt[start : start + _SALT_BYTES] + lines).digest()
            for start, lines in zip(starts, pieces, strict=True)
        ]
    )


def leaves_of(salts: bytes, data: bytes) -> list[Leaf]:
    """Return the leaves of a batch, in the order of its lines.

    Raises:
        ValueError: as `root_of`.
    """
    if len(salts) == SEED_BYTES:
        pieces = _PIECES.findall(data)
        salt = shake_256(salts).digest(_SALT_BYTES * len(pieces))
        starts = range(0, len(salt), _SALT_BYTES)
        return [
            _kept(salt[start : start + _SALT_BYTES], lines)
            for start, lines in zip(starts, pieces, strict=True)
        ]
    if not (are_salts(salts) and have_lines(salts, data)):
        msg = "its salts are those of other lines, or none"
        raise ValueError(msg)
    lines = iter(_LINES.findall(data))
    found = []
    for kind, count, word in _parts(salts):
        some = b"".join(islice(lines, count))
        found.append(_kept(word, some) if kind == _KEPT else Leaf(some, b"", word))
    return found


def written(leaves: list[Leaf]) -> bytes:
    """Return leaves, of which some are erased, as the parts that stand in place of a seed."""
    return b"".join(
        bytes([leaf.is_erased])
        + len(_LINES.findall(leaf.lines)).to_bytes(_COUNT_BYTES, "little")
        + (leaf.salt or leaf.hash)
        for leaf in leaves
    )


def _kept(salt: bytes, lines: bytes) -> Leaf:
    return Leaf(lines, salt, sha256(_LEAF + salt + lines).digest())


def _parts(salts: bytes) -> list[tuple[int, int, bytes]]:
    """Return of each part its kind, how many lines it has, and its salt or leaf."""
    found, place = [], 0
    while place < len(salts):
        kind, begin, end = salts[place], place + 1 + _COUNT_BYTES, place + _SIZES[salts[place]]
        count = int.from_bytes(salts[place + 1 : begin], "little")
        found.append((kind, count, salts[begin:end]))
        place = end
    return found
