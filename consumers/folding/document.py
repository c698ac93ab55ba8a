"""What a fold keeps of one job between commits, read as something that may be damaged."""

from __future__ import annotations

from typing import Any

import orjson

from synapse_stream.errors import DecodeError


def read_document(job_id: str, document: bytes) -> Any:
    """Return what a document of a job holds; documents of before did not say whose they are.

    Raises:
        DecodeError: it is of another job.
    """
    content = orjson.loads(document)
    whose = content.get("job", job_id)
    if "v" not in content or whose != job_id:
        msg = f"this is no document of job {job_id!r}, but of {whose!r}"
        raise DecodeError(msg)
    return content
