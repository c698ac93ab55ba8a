"""`synapse-stream anchors`: have signed checkpoints begin anew where they are gone for good."""

from __future__ import annotations

from contextlib import closing

import typer

from synapse_stream.cli.shared.reason import Reason

app = typer.Typer(help="Signed checkpoints of archived runs.")


@app.callback()
def _anchors() -> None:
    """Have a group, though there is one command in it."""


@app.command()
def init(*, reason: Reason = None) -> None:
    """Have anchors begin anew where they are fewer than remembered, or others.

    Until then nothing is signed there. What is gone stays gone: `verify` tells from then on how
    many anchors there were before. To be run where the archive's consumer runs.
    """
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.audit import open_auditor
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with (
        closing(open_auditor(settings)) as auditor,
        acting(settings, "anchors init", reason=reason) as act,
    ):
        act.after["begun"] = begun = auditor.begin_anchors()
    for said in begun:
        print(said)
    if not begun:
        print("All anchors that are remembered are there: nothing begins anew")
