"""A certificate: what a run came to, and the proof that it is in the log, as one small file.

Whoever has the verifier keys of the log and of its witnesses can verify it without us: see
docs/verify_certificate.py.
"""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.tlog.proofs import inclusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.audit import Report
    from synapse_stream.tlog.checkpoint import SignedCheckpoint
    from synapse_stream.tlog.tiles import Tiles

VERSION = 1
MOST_BYTES = 64 * 1024


class Evidence(NamedTuple):
    """Where the newest anchor of a run stands in the log."""

    number: int
    entry: bytes
    tiles: Tiles
    checkpoints: Sequence[SignedCheckpoint]
    """Signed ones that are behind it, with what witnesses have cosigned."""


def certificate(report: Report, evidence: Evidence) -> bytes:
    """Return the certificate of a run that was verified, up to its newest anchor.

    `seals` has the producers whose count is not one more than their last number, null where it is
    not known. One that would be too long has no heads: the anchor has their hash.

    Raises:
        DecodeError: the log has other hashes than entries.
    """
    sure = [one for one in report.producers if one.head]
    body: dict[str, Any] = {
        "synapse_stream_certificate": VERSION,
        "job": report.job_id,
        "verified": {
            "verdict": report.verdict.value,
            "entries": report.entries,
            "events": report.events,
            "time_ms": time.time_ns() // 1_000_000,
        },
        "heads": {one.producer: [one.anchored, one.head.hex()] for one in sure if one.head},
        "seals": {one.producer: one.sealed for one in sure if one.sealed != one.anchored + 1},
        "lost": {one.producer: list(map(list, one.lost)) for one in sure if one.lost},
        "shed": {one.producer: dict(one.shed) for one in sure if one.shed},
        **anchored(evidence),
    }
    content = _written(body)
    return content if len(content) <= MOST_BYTES else _written({**body, "heads": None, "seals": {}})


def anchored(evidence: Evidence) -> dict[str, Any]:
    """Return what proves that an anchor stands in the log.

    Raises:
        DecodeError: the log has other hashes than entries.
    """
    return {
        "anchor": {"number": evidence.number, "entry": evidence.entry.decode()},
        "checkpoints": [_checkpoint(evidence, one) for one in evidence.checkpoints],
    }


def _checkpoint(evidence: Evidence, signed: SignedCheckpoint) -> dict[str, Any]:
    proof = inclusion(evidence.number, signed.checkpoint.size, evidence.tiles.hash)
    return {"note": str(signed.note), "proof": [b64encode(one).decode() for one in proof]}


def _written(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
