"""`synapse-stream watch`: a run live, from wherever it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.reading import near_job, place_of
from synapse_stream.errors import ConfigError, SynapseStreamError
from synapse_stream.models import RunStatus
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from synapse_stream.cli.read.screens import Screen
    from synapse_stream.cli.read.watching import Watcher
    from synapse_stream.settings import Settings

_PATIENCE_SECONDS = 1.0


def watch(
    job: Job,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object whenever the run stands differently.")
    ] = False,
) -> None:
    """Watch a run: bars with rate and time left, metrics with their course, messages above.

    Ends with the run. Exit code 0 when it completed, 1 when not, 130 after Ctrl-C.
    """
    from synapse_stream.cli.read.screens import open_screen
    from synapse_stream.cli.read.watching import Watcher
    from synapse_stream.reading.job_views import opened
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with opened(settings) as views:
        watcher, screen = Watcher(settings, views, job), open_screen(as_json=as_json)
        try:
            status = _follow(settings, watcher, screen, job)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        finally:
            screen.close()
            watcher.close()
    if status is not RunStatus.COMPLETED:
        raise typer.Exit(1)


def _follow(settings: Settings, watcher: Watcher, screen: Screen, job: str) -> RunStatus:
    """Show look after look until the run is over; return how it ended."""
    look = watcher.look()
    if look is None:
        unknown = f"job {one_line(job)!r} is not known yet{place_of(settings)}"
        near = one_line(near_job(settings, job))
        screen.note(f"{unknown}{near}; waiting for it, Ctrl-C stops")
    trouble = ""
    while True:
        if look is not None:
            screen.show(look)
            if look.is_over:
                return look.state.status
        time.sleep(_PATIENCE_SECONDS if trouble else screen.pause_seconds)
        try:
            look, trouble = watcher.look(), ""
        except ConfigError:
            raise
        except SynapseStreamError as error:  # the store is away; it may come back
            if str(error) != trouble:
                trouble = str(error)
                screen.note(f"reading is interrupted: {trouble}")
            look = None
