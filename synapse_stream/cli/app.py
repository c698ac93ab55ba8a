"""The commands under one roof, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream import __version__
from synapse_stream.cli.exec import exec_
from synapse_stream.cli.operate import anchors, parked, witness
from synapse_stream.cli.operate.agent import agent
from synapse_stream.cli.operate.annotate import annotate
from synapse_stream.cli.operate.doctor import doctor
from synapse_stream.cli.operate.drain import drain
from synapse_stream.cli.operate.erase import erase
from synapse_stream.cli.operate.hold import hold, release
from synapse_stream.cli.operate.lag import lag
from synapse_stream.cli.operate.rebuild import rebuild
from synapse_stream.cli.operate.sign_off import sign_off
from synapse_stream.cli.operate.token import token
from synapse_stream.cli.operate.trail import trail
from synapse_stream.cli.operate.trim import trim
from synapse_stream.cli.operate.up import up
from synapse_stream.cli.read.certify import certify
from synapse_stream.cli.read.compare import compare
from synapse_stream.cli.read.disclose import disclose
from synapse_stream.cli.read.events import events
from synapse_stream.cli.read.export import export, import_
from synapse_stream.cli.read.jobs import jobs, show
from synapse_stream.cli.read.messages import messages
from synapse_stream.cli.read.metrics import metrics
from synapse_stream.cli.read.open import open_
from synapse_stream.cli.read.replay import replay
from synapse_stream.cli.read.report import report
from synapse_stream.cli.read.verify import verify
from synapse_stream.cli.read.watch import watch
from synapse_stream.cli.run import run
from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.errors import ConfigError, SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
_GROUPS: dict[str, dict[str, Callable[..., Any]]] = {
    "Run": {"up": up, "run": run, "exec": exec_, "agent": agent},
    "Read": {
        "jobs": jobs,
        "show": show,
        "compare": compare,
        "open": open_,
        "watch": watch,
        "messages": messages,
        "metrics": metrics,
        "events": events,
    },
    "Keep": {
        "replay": replay,
        "verify": verify,
        "report": report,
        "certify": certify,
        "disclose": disclose,
        "export": export,
        "import": import_,
    },
    "Operate": {
        "doctor": doctor,
        "lag": lag,
        "drain": drain,
        "trim": trim,
        "rebuild": rebuild,
        "erase": erase,
        "token": token,
        "trail": trail,
        "hold": hold,
        "release": release,
        "sign-off": sign_off,
        "annotate": annotate,
    },
}
# What people type who have not read this.
_ALSO: dict[str, Callable[..., Any]] = {"ls": jobs, "logs": messages}
for group, commands in _GROUPS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=group)(command)
for name, command in _ALSO.items():
    app.command(name, hidden=True)(command)
app.add_typer(parked.app, name="parked", rich_help_panel="Operate")
app.add_typer(anchors.app, name="anchors", rich_help_panel="Operate")
app.add_typer(witness.app, name="witness", rich_help_panel="Operate")


def _show_version(*, wanted: bool) -> None:
    if wanted:
        print(f"synapse-stream {__version__}")
        raise typer.Exit


@app.callback()
def _synapse_stream(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Report from plugins to event streams, and read them back.

    Settings come from SYNAPSE_STREAM_* variables; `doctor --print-config` shows them.
    """


def _as_utf_8(argument: str) -> str:
    """Return an argument as it was typed, whatever encoding the locale says."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        return argument


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def run_command() -> int:
    """Run the command line; return its exit code."""
    sys.argv[1:] = [_as_utf_8(argument) for argument in sys.argv[1:]]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a job may say what the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    odd = next((word for word in sys.argv[1:] if not _is_text(word)), None)
    if odd is not None:
        print(f"synapse-stream: {odd!a:.200} is no UTF-8", file=sys.stderr)
        return 2
    try:
        app(prog_name="synapse-stream")
    except (ConfigError, WrongUse) as error:
        print(f"synapse-stream: {error}", file=sys.stderr)
        return 2
    except SynapseStreamError as error:  # the server or the store is away
        print(f"synapse-stream: {error}", file=sys.stderr)
        return 1
    return 0
