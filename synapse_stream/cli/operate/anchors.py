"""`synapse-stream anchors`: have signed checkpoints begin anew where they are gone for good."""

from __future__ import annotations

from contextlib import closing

import typer

app = typer.Typer(help="Signed checkpoints of archived runs.")


@app.callback()
def _anchors() -> None:
    """Have a group, though there is one command in it."""


@app.command()
def init() -> None:
    """Have anchors begin anew where they are fewer than remembered, or others.

    Until then nothing is signed there. What is gone stays gone: `verify` tells from then on how
    many anchors there were before. To be run where the archive's consumer runs.
    """
    from synapse_stream.ports.audit import open_auditor
    from synapse_stream.settings import Settings

    with closing(open_auditor(Settings.load())) as auditor:
        begun = auditor.begin_anchors()
    for said in begun:
        print(said)
    if not begun:
        print("All anchors that are remembered are there: nothing begins anew")
