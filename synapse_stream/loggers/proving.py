"""What a producer's first event says of who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def identity(settings: Settings, job_id: str, producer: str | None) -> dict[str, Any]:
    """Return the field that shows by which token a producer reports; nothing if by none."""
    if settings.url is None or producer is None:
        return {}
    from synapse_stream.remote.identity import identity_of  # noqa: PLC0415 - for an API only

    found = identity_of(settings, job_id, producer)
    return {"identity": found} if found else {}
