"""What the commands that read views share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from synapse_stream.saying.text import one_line

_NEWEST = 1000

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings


def server_now_ms(settings: Settings, states: Sequence[RunState]) -> int | None:
    """Return the server's clock if a process may be alive; None when none is, or it is away."""
    from synapse_stream.errors import LogUnavailable
    from synapse_stream.reading.clock import open_clock

    if all(run.is_over for state in states for run in state.attempts):
        return None
    clock = open_clock(settings)
    try:
        return clock.now_ms()
    except LogUnavailable as error:
        print(f"synapse-stream: health is not known: {error}", file=sys.stderr)
        return None
    finally:
        clock.close()


def health_of(state: RunState, now_ms: int | None) -> str | None:
    """Return the health by name; None when it is not known."""
    if now_ms is None and not state.is_over:
        return None
    return state.health(now_ms or 0).value


def place_of(settings: Settings) -> str:
    """Say whose views were read, and what to do when nothing runs there."""
    from synapse_stream.errors import LogUnavailable
    from synapse_stream.log.address import running_url
    from synapse_stream.redaction.urls import mask_url

    if settings.url is not None:
        return f" at {settings.server}, as far as this token sees"
    if settings.store_url is not None:
        return f" in {mask_url(settings.store_url)}"
    try:
        if settings.redis_url is None:
            running_url(settings.data_dir)
    except LogUnavailable:
        hint = "no `up` runs there; if one runs elsewhere, set SYNAPSE_STREAM_DATA_DIR as it says"
        return f" in {settings.data_dir}; {hint}"
    return f" in {settings.data_dir}"


def near_job(settings: Settings, job: str) -> str:
    """Return a question after ids that are nearly this one; empty when none is known to be."""
    from difflib import get_close_matches

    from synapse_stream.errors import SynapseStreamError
    from synapse_stream.reading.job_views import opened

    try:
        with opened(settings) as views:
            ids = [state.job_id for state in views.jobs(limit=_NEWEST)]
    except SynapseStreamError:  # the answer is no without them, too
        return ""
    near = get_close_matches(job, ids, 3)
    return f"; did you mean {', '.join(map(repr, near))}?" if near else ""


def say_no(answer: str) -> NoReturn:
    """Answer no, and exit with 1."""
    print(f"synapse-stream: {one_line(answer)}", file=sys.stderr)
    raise typer.Exit(1)
