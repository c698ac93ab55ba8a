"""`synapse-stream drain`: send what killed plugins left on this host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import print_json

if TYPE_CHECKING:
    from synapse_stream.producer.adoption.adopt import Adoption


def drain(
    *,
    spool_dir: Annotated[
        Path | None,
        typer.Option(help="Where the events wait; else SYNAPSE_STREAM_SPOOL_DIR.", file_okay=False),
    ] = None,
    from_dead_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A host or container that does not come back: what it left here is sent, and what "
            "may have been elsewhere is recorded as lost.",
        ),
    ] = None,
    deployment: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A deployment whose place the one that is set has taken."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a spool.")] = False,
) -> None:
    """Send what plugins left that were killed or had no server.

    What is not sent is listed with the reason. Exit code 1 when events still wait.
    """
    from synapse_stream.cli.shared.left import adoption_line
    from synapse_stream.producer.adoption.adopt import Mandate, adopt_all
    from synapse_stream.producer.shipping.port import opener
    from synapse_stream.settings import Settings

    settings = Settings.load(spool_dir=spool_dir)
    mandate = Mandate(
        is_explicit=True,
        is_everywhere=True,
        dead_hosts=from_dead_host or (),
        deployments=deployment or (),
    )
    adoptions = adopt_all(settings, opener(settings), mandate)
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
