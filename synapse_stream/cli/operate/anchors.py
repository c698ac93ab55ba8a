"""`synapse-stream anchors`: the log of signed checkpoints that vouches for archived runs."""

from __future__ import annotations

from contextlib import closing

import typer

from synapse_stream.cli.shared.reason import Reason

app = typer.Typer(help="The log that vouches for archived runs.")


@app.callback()
def _anchors() -> None:
    """Have a group, though there is one command in it."""


@app.command()
def init(*, reason: Reason = None) -> None:
    """Begin a log of anchors, where there is none or it is not what is remembered.

    Until then nothing is signed. It prints the key that verifies the log. What lies in its place is
    kept beside it, and `verify` tells from then on how many anchors there were before.
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
