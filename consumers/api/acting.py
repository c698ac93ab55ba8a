"""What is done over HTTP, as the operators' trail has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.operating.trail import Actor
from synapse_stream.system.identity import host_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from fastapi import Request

    from consumers.api.tokens import Caller
    from synapse_stream.operating.trail import Doing, Trail


def acting(
    request: Request,
    caller: Caller,
    name: str,
    *,
    jobs: Sequence[str] = (),
    reason: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> AbstractContextManager[Doing]:
    """Do something as `caller`, who asked from the address of `request`: see `Trail.act`."""
    trail: Trail = request.app.state.trail
    address = request.client.host if request.client else "an unknown address"
    origin = f"{request.method} {request.url.path} from {address}"
    actor = Actor(f"token {caller.name}", host_name(), origin)
    return trail.act(name, actor, jobs=jobs, reason=reason, before=before)
