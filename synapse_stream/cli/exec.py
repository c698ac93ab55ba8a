"""`synapse-stream exec`: run a command whose Python processes report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from synapse_stream import integrations
from synapse_stream.cli.shared.output import WrongUse

_STARTUP = Path(integrations.__file__).parent / "startup"


def exec_(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND…", help="Such as python -m synapse_sdk.plugins.entrypoint."
        ),
    ],
) -> None:
    """Run a command as it is; the libraries that its Python processes report with report here, too.

    The same as SYNAPSE_STREAM_ENABLE=1, also where Python does not look for .pth files. The command
    takes the place of this process, so signals and its exit code are its own.
    """
    path = os.pathsep.join(filter(None, (str(_STARTUP), os.environ.get("PYTHONPATH"))))
    environ = os.environ | {"SYNAPSE_STREAM_ENABLE": "1", "PYTHONPATH": path}
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - what the user typed
    except OSError as error:
        msg = f"{command[0]} cannot be run: {error.strerror}"
        raise WrongUse(msg) from None
