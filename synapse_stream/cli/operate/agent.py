"""`synapse-stream agent`: one process a host, behind which containers and processes report."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from synapse_stream.cli.shared.left import adoption_line
from synapse_stream.cli.shared.reading import say_no

_NAME = "agent.sock"


def agent(
    *,
    socket: Annotated[
        Path | None,
        typer.Option(help="Socket that is reported at; else agent.sock of the data directory."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of loopback; 0 takes any free one.")
    ] = 8421,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where the spools are; else SYNAPSE_STREAM_DATA_DIR.", file_okay=False),
    ] = None,
) -> None:
    """Take what this host's processes report, send it by one token, adopt what they leave.

    It sends to SYNAPSE_STREAM_URL, by SYNAPSE_STREAM_TOKEN, or to SYNAPSE_STREAM_REDIS_URL. Who may
    open the socket, or reaches loopback, reports without a token. Killing it loses nothing.
    """
    from synapse_stream.agent.agent import Agent
    from synapse_stream.settings import Settings
    from synapse_stream.supervisor.single import RunsAlready, single
    from synapse_stream.system.signals import on_signals

    settings = Settings.load(data_dir=data_dir)
    path = (socket or settings.data_dir / _NAME).absolute()
    stop = threading.Event()
    on_signals(lambda _: stop.set(), *_signals())
    try:
        with (
            single(settings.data_dir / "agent.lock", {"pid": os.getpid(), "socket": str(path)}),
            Agent(settings, lambda one: _say(adoption_line(one)), path=path, port=port) as running,
        ):
            print("The agent is ready; Ctrl-C stops it. Processes of this host report to it after")
            for address in running.addresses[:2]:
                print(f"  export SYNAPSE_STREAM_URL={address}")
            print(f"It sends to {settings.server}, and adopts what is in {settings.spool_root}")
            sys.stdout.flush()
            stop.wait()
    except RunsAlready as error:
        at = ", ".join(f"{name} {value}" for name, value in error.about.items())
        say_no(f"an agent runs already for {settings.data_dir}: {at or 'it is just starting'}")


def _signals() -> tuple[int, ...]:
    import signal

    return (signal.SIGINT, signal.SIGTERM)


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
