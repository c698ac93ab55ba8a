"""`synapse-stream anchors`: the log of signed checkpoints that vouches for archived runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from synapse_stream.cli.shared.reason import Reason

app = typer.Typer(help="The log that vouches for archived runs.")


@app.command()
def init(*, reason: Reason = None) -> None:
    """Begin a log of anchors, where there is none or it is not what is remembered.

    Until then nothing is signed. It prints the key that verifies the log. What lies in its place is
    kept beside it, and `verify` tells from then on how many anchors there were before.
    """
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.anchors import open_anchors
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with (
        closing(open_anchors(settings)) as log,
        acting(settings, "anchors init", reason=reason) as act,
    ):
        act.after["begun"] = begun = log.begin()
    for said in begun:
        print(said)
    if not begun:
        print("All anchors that are remembered are there: nothing begins anew")


@app.command("let-in")
def let_in(
    key: Annotated[
        Path, typer.Argument(help="A further Ed25519 key in PEM.", exists=True, dir_okay=False)
    ],
    *,
    reason: Reason = None,
) -> None:
    """Have a further key sign the log, as before the one that signs is replaced.

    It is an entry of the log, signed by SYNAPSE_STREAM_SIGNING_KEY: who believes that key believes
    the new one. Set the new one then, start the notary again, and revoke the old one.
    """
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.anchors import open_anchors
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with (
        closing(open_anchors(settings)) as log,
        acting(settings, "anchors let-in", reason=reason) as act,
    ):
        act.after["key"] = new = log.let_in(key.read_bytes())
    print(f"verifier key: {new}")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its verifier key.", metavar="VERIFIER_KEY")],
    *,
    reason: Reason = None,
) -> None:
    """Have a key sign no more: checkpoints of more entries than there are now are not believed."""
    from synapse_stream.cli.shared.output import WrongUse
    from synapse_stream.errors import DecodeError
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.anchors import open_anchors
    from synapse_stream.settings import Settings
    from synapse_stream.tlog.notes import Key

    settings = Settings.load()
    try:
        revoked = Key.parse(key)
    except DecodeError as error:
        raise WrongUse(str(error)) from error
    with (
        closing(open_anchors(settings)) as log,
        acting(settings, "anchors revoke", reason=reason, before={"key": key}) as act,
    ):
        act.after["entries"] = size = log.revoke(revoked)
    print(f"revoked from entry {size - 1} of the log on")
