"""`synapse-stream drain`: send what killed plugins left on this host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.output import coloured, print_json
from synapse_stream.text import one_line

if TYPE_CHECKING:
    from synapse_stream.producer.adopt import Adoption


def drain(
    *,
    spool_dir: Annotated[
        Path | None,
        typer.Option(help="Where the events wait; else SYNAPSE_STREAM_SPOOL_DIR.", file_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a spool.")] = False,
) -> None:
    """Send what plugins left that were killed or had no server.

    Exit code 1 when events still wait.
    """
    from synapse_stream.log.event_log import open_log
    from synapse_stream.producer.adopt import adopt_all
    from synapse_stream.settings import Settings

    settings = Settings.load(spool_dir=spool_dir)
    adoptions = adopt_all(settings, lambda: open_log(settings))
    for adoption in adoptions:
        if as_json:
            print_json(adoption)
        elif _is_news(adoption):
            print(adoption_line(adoption))
    if not as_json and not any(map(_is_news, adoptions)):
        print(f"Nothing waits in {settings.spool_root}")
    if any(adoption.waiting or adoption.trouble for adoption in adoptions):
        raise typer.Exit(1)


def _is_news(adoption: Adoption) -> bool:
    """False for a spool that is only kept in case the server loses its tail."""
    return bool(adoption.sent or adoption.waiting or adoption.is_lost or adoption.trouble)


def adoption_line(adoption: Adoption) -> str:
    """Say what became of one spool."""
    said = f"job {one_line(adoption.job_id)}: {adoption.sent} events sent from {adoption.place}"
    if adoption.is_lost:
        said += "; its process had died, which is now recorded"
    if adoption.waiting or adoption.trouble:
        said += coloured(f"; {adoption.waiting} still wait: {adoption.trouble}", "red")
    return said
