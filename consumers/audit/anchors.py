"""Signed checkpoints, anchors: what a run had come to, in the words of whoever holds the key.

An anchor is one line of JSON, keys sorted, no spaces. Its signature is Ed25519 over PURPOSE and the
line without the member `signature`. `previous` is the SHA-256 of the line before it in its file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumers.audit.record import Track

PURPOSE = b"synapse-stream anchor 1\n"
VERSION = 1

_MOST_FINDINGS = 10  # of a file; where many lines are wrong, the first ones tell
MISSING = "anchors need the package cryptography: pip install 'synapse-stream[audit]' brings it"


class Anchor(NamedTuple):
    """One signed checkpoint."""

    namespace: str
    job_id: str
    producers: Mapping[str, tuple[int, bytes]]
    """Its highest number, and the chain hash there."""
    entries: int
    """How many entries the archive had."""
    root: bytes
    """Of the tree over them."""
    is_removal: bool = False
    """True when the archive was to remove them then."""


class Keys:
    """The public keys whose anchors are believed."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Take raw Ed25519 public keys.

        Raises:
            ConfigError: one is none, or `cryptography` is not installed.
        """
        try:
            from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
                Ed25519PublicKey,
            )
        except ModuleNotFoundError as error:
            raise ConfigError(MISSING) from error
        self._invalid = InvalidSignature
        try:
            self._keys = {key.hex(): Ed25519PublicKey.from_public_bytes(key) for key in keys}
        except ValueError as error:
            msg = f"SYNAPSE_STREAM_VERIFY_KEYS: {error}"
            raise ConfigError(msg) from error

    def read(self, line: bytes) -> Anchor:
        """Read a line.

        Raises:
            DecodeError: it is no anchor, or none of these keys has signed it so.
        """
        try:
            body = orjson.loads(line)
            signature = bytes.fromhex(body.pop("signature"))
            key = self._keys[body["key"]]
            key.verify(signature, PURPOSE + line_of(body))
            producers = {
                name: (int(last), bytes.fromhex(head))
                for name, (last, head) in body["producers"].items()
            }
            return Anchor(
                *(body["namespace"], body["job"], producers),
                *(int(body["entries"]), bytes.fromhex(body["root"])),
                is_removal=bool(body.get("removed")),
            )
        except self._invalid as error:
            msg = "its signature is wrong"
            raise DecodeError(msg) from error
        except KeyError as error:
            msg = f"it lacks {error}, or that key is not believed"
            raise DecodeError(msg) from error
        except (ValueError, TypeError, AttributeError) as error:
            msg = f"it is no anchor: {error}"
            raise DecodeError(msg) from error


class AnchorBook:
    """All anchors that could be read, by job; `findings` holds what is wrong with the others."""

    def __init__(self, keys: Keys, files: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        """Read files, given by their names and lines."""
        self._findings: dict[str, list[Finding]] = {}
        self._digests: dict[str, list[str]] = {}
        self._jobs: dict[tuple[str, str], list[Anchor]] = {}
        for name, lines in files:
            self._findings[name] = []
            digests = self._digests[name] = []
            for number, line in enumerate(lines, 1):
                self._read(keys, line, digests[-1] if digests else None, name, number)
                digests.append(digest(line))

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with lines of all files."""
        return [one for name in self._findings for one in self.findings_in(name)]

    def digests(self, name: str) -> Sequence[str]:
        """Return the digests of the lines of a file, in order; none of one that is not there."""
        return self._digests.get(name, ())

    def findings_in(self, name: str) -> list[Finding]:
        """Return what is wrong with the first lines that are, of one file."""
        return self._findings.get(name, [])

    def of(self, namespace: str, job_id: str) -> list[Anchor]:
        """Return the anchors of a job, those of a file in order."""
        return self._jobs.get((namespace, job_id), [])

    def jobs(self, namespace: str) -> list[str]:
        """Return the jobs that are anchored."""
        return [job for space, job in self._jobs if space == namespace]

    def _read(self, keys: Keys, line: bytes, before: str | None, name: str, number: int) -> None:
        place = f"{name}, line {number}"
        try:
            anchor = keys.read(line)
        except DecodeError as error:
            self._find(name, f"a signed anchor in {place}", str(error))
            return
        body = orjson.loads(line)
        if (said := body.get("previous", "nothing")) != before or body.get("no") != number - 1:
            self._find(name, f"{place} to follow {before}", f"{said}")
        self._jobs.setdefault((anchor.namespace, anchor.job_id), []).append(anchor)

    def _find(self, name: str, expected: str, found: str) -> None:
        if len(self._findings[name]) < _MOST_FINDINGS:
            self._findings[name].append(Finding("anchor", expected, found))


def vouches_for_removal(anchors: Sequence[Anchor], entries: int) -> bool:
    """Tell whether it is signed that so many entries were to be removed.

    Of a run that was never anchored nothing is signed, its removal neither.
    """
    return not anchors or any(one.is_removal and one.entries == entries for one in anchors)


def judge(
    anchors: Iterable[Anchor], tracks: Mapping[str, Track]
) -> tuple[list[Finding], dict[str, int]]:
    """Compare heads with what was walked; return what differs, and how far each producer is sure.

    One finding a producer: the first anchor that does not hold.
    """
    findings: dict[str, Finding] = {}
    sure: dict[str, int] = {}
    for anchor in anchors:
        for producer, (last, head) in anchor.producers.items():
            track = tracks.get(producer)
            there = -1 if track is None else track.last
            if track is None or there < last:
                found = "none of this producer" if track is None else f"{there} is its last"
                expected, numbers = f"numbers up to {last}", (there + 1, last)
            elif head not in (heads := list(track.heads.at(last))):
                found = " or ".join(one.hex() for one in heads) or "no batch that ends there"
                expected, numbers = f"hash {head.hex()} at number {last}", (last, last)
            else:
                sure[producer] = max(last, sure.get(producer, -1))
                continue
            finding = Finding("anchor", expected, found, None, producer, numbers)
            findings.setdefault(producer, finding)
    return list(findings.values()), sure


def digest(line: bytes) -> str:
    """Return what the anchor that follows a line has as `previous`."""
    return sha256(line).hexdigest()


def line_of(body: Mapping[str, Any]) -> bytes:
    """Return the one way to write an anchor."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
