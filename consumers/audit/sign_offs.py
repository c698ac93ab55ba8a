"""Sign-offs of a run: is each what its key has signed, over what is recorded?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from consumers.views.archive.reader import StoredArchive
from synapse_stream.entries.batch import RawEntry, parse_fields
from synapse_stream.entries.tree import Tree, leaf_of
from synapse_stream.errors import ConfigError
from synapse_stream.events.types import SignedOff
from synapse_stream.operating.sign_off import PRODUCER, statement
from synapse_stream.ports.audit import Finding, Verdict
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.reading.recorded import events_of
from synapse_stream.remote.secret import read_setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumers.audit.refolding import Sources
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.audit import Report
    from synapse_stream.settings import Settings

_VARIABLE = "SYNAPSE_STREAM_SIGN_OFF_KEYS"
_KEY_BYTES = 32


class _Found(NamedTuple):
    position: Position
    producer: str
    event: SignedOff


class SignOffs:
    """Judges the sign-offs of runs."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        """Read by `sources`.

        Raises:
            ConfigError: a key is none.
        """
        self._keys = _keys(settings)
        self._reader = JobReader(sources.log, lambda: StoredArchive(sources.store.databases))

    def judged(self, report: Report) -> Report:
        """Return the report of a run with what its sign-offs come to.

        Raises what `JobReader.entries` does.
        """
        if not any(one.producer.startswith(PRODUCER) for one in report.producers):
            return report
        found = list(_sign_offs(self._reader.entries(report.job_id)))
        roots = _roots(self._reader.entries(report.job_id), {one.event.entries for one in found})
        findings = [finding for one in found for finding in _findings(report.job_id, one, roots)]
        notes = [*report.notes, *map(self._note, found)]
        if not findings:
            return replace(report, notes=notes)
        broken, findings = Verdict.BROKEN, [*report.findings, *findings]
        return replace(report, verdict=broken, record=broken, findings=findings, notes=notes)

    def _note(self, one: _Found) -> str:
        event = one.event
        when = datetime.fromtimestamp(event.time / 1e6, UTC).isoformat(timespec="seconds")
        known = "is one of" if event.key in self._keys else "is none of"
        return (
            f"signed off by {event.name} at {when}: {event.meaning}; over the first "
            f"{event.entries} entries, with the key {event.key:.64}, which {known} {_VARIABLE}"
        )


def _sign_offs(entries: Iterable[RecordedBatch]) -> Iterator[_Found]:
    for entry in entries:
        if entry.batch is None or not entry.batch.producer.startswith(PRODUCER):
            continue
        for recorded in events_of(entry):
            if isinstance(recorded.event, SignedOff):
                yield _Found(recorded.position, recorded.producer, recorded.event)


def _roots(entries: Iterable[RecordedBatch], sizes: set[int]) -> dict[int, str]:
    """Return the roots (hex) of the tree where it had these sizes."""
    tree, roots = Tree(), {}
    for entry in entries:
        raw = RawEntry(entry.ms, entry.seq, entry.raw or {})
        tree.add(leaf_of(raw, parse_fields(raw.fields)))
        if tree.size in sizes:
            roots[tree.size] = tree.root().hex()
    return roots


def _findings(job_id: str, one: _Found, roots: dict[int, str]) -> Iterator[Finding]:
    event = one.event
    root = roots.get(event.entries, f"no {event.entries} entries")
    if root != event.root:
        expected = f"the root {event.root:.64} over the first {event.entries} entries"
        yield Finding("sign-off", expected, root, one.position, one.producer)
    if not _is_signed(job_id, event):
        said = f"the signature of {event.key:.64}"
        yield Finding("sign-off", said, "another", one.position, one.producer)


def _is_signed(job_id: str, event: SignedOff) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(event.key))
        key.verify(bytes.fromhex(event.signature), statement(job_id, event.model_dump()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _keys(settings: Settings) -> frozenset[str]:
    words = read_setting(_VARIABLE, settings.sign_off_keys or "").replace(",", " ").split()
    for word in words:
        try:
            is_key = len(bytes.fromhex(word)) == _KEY_BYTES
        except ValueError:
            is_key = False
        if not is_key:
            msg = f"{_VARIABLE}: {word!r} is no Ed25519 public key in hex"
            raise ConfigError(msg)
    return frozenset(word.lower() for word in words)
