"""What people say of runs, beside what is projected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import select

from consumers.store.found import annotation
from consumers.store.sql import insert_into, slices
from synapse_stream.ports.annotations import Annotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def read(connection: Connection, job_ids: Sequence[str]) -> dict[str, Annotation]:
    """Return what is said of jobs; those of which nothing is are left out."""
    found: dict[str, Annotation] = {}
    for some in slices(job_ids):
        query = select(annotation).where(annotation.c.job_id.in_(some))
        for job_id, labels, note, archived, baseline in connection.execute(query):
            found[job_id] = Annotation(orjson.loads(labels), note, archived, baseline)
    return found


def write(connection: Connection, job_id: str, said: Annotation) -> None:
    """Note what is said of a job."""
    values = {
        "labels": orjson.dumps(dict(said.labels)).decode(),
        "note": said.note,
        "archived": said.archived,
        "baseline": said.baseline,
    }
    row = insert_into(connection, annotation).values(job_id=job_id, **values)
    connection.execute(row.on_conflict_do_update(annotation.primary_key, set_=values))
