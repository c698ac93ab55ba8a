"""A web service that reports: `GET /VOICE` makes all calls of a voice. For `gunicorn module:app`.

What it is to do comes from the variable FAULTS_ROLE. Nobody ends the run but the service's end.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.reporting.run import open_run
from tests.resilience.places.pooled import PoolRole, Task

if TYPE_CHECKING:
    from collections.abc import Callable

_role = PoolRole(**orjson.loads(os.environ["FAULTS_ROLE"]))
_context = open_run(_role.job)
Path(_role.home, f"open-{os.getpid()}").touch()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer one request."""
    is_well = Task(_role, _context)(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK" if is_well else "500 Trouble", [("Content-Type", "text/plain")])
    return [b"done"]
