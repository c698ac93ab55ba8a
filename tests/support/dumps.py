"""One form of a view's content: what a store holds and what a fresh fold gives must be equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from consumers import views
from consumers.folding import canonical
from consumers.views.archive.raw import RawArchive
from synapse_stream.entries.batch import unpack

if TYPE_CHECKING:
    from consumers.folding.fold import JobFold
    from consumers.store.store import Store
    from consumers.views.port import View


def of_fold(fold: JobFold, *, positions: bool = True) -> bytes:
    """Return the content of a fold whose rows were never taken: its rows, else its document.

    The rows are taken by this.
    """
    rows = fold.rows()
    if rows is not None:
        return bytes(rows.canonical(positions=positions))
    return of_document(fold.document(), type(fold._view).by_position, positions=positions)


def of_document(document: bytes, by_position: frozenset[str], *, positions: bool = True) -> bytes:
    return canonical.of_document(document, None if positions else by_position)


def of_view(store: Store, view: View, job_id: str, *, positions: bool = True) -> bytes:
    """Return what a store holds of a job; of one that is not known, what one without events has."""
    stored = store.jobs.stored(view.name, job_id)
    if stored is None:
        return of_fold(view.fold(job_id), positions=positions)
    assert not isinstance(stored, str), stored
    if stored.rows is not None:
        return stored.rows.canonical(positions=positions)
    return of_document(stored.document, view.rules.by_position, positions=positions)


def of_archive(store: Store, job_id: str) -> bytes:
    """Return manifest and entries, however they are cut into blocks."""
    raw = RawArchive(store.databases)
    lines = [raw.manifest(job_id) or b"null", b"\n"]
    for block in raw.blocks(job_id):
        assert not isinstance(block.content, str), block
        for ms, seq, fields in (unpack(job_id, entry) for entry in block.content):
            words = [[name.hex(), value.hex()] for name, value in fields.items()]
            lines.append(orjson.dumps([ms, seq, words]) + b"\n")
    return b"".join(lines)


def dump(store: Store, projection: str, job_id: str) -> bytes:
    """Return what a store holds of a job, the archive's too."""
    view = views.find(projection)
    return of_archive(store, job_id) if view.is_record else of_view(store, view, job_id)
