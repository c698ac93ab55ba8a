"""`synapse-stream witness`: cosign a log of anchors while it does nothing but grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from synapse_stream.tlog.witness import Witness

app = typer.Typer(
    help="Watch logs of anchors for their operators: on another machine, with a key of its own."
)

_Name = Annotated[str, typer.Option(help="How the witness is called, as witness.example/w1.")]
_Key = Annotated[
    Path, typer.Option(help="Its own Ed25519 key in PEM.", exists=True, dir_okay=False)
]
_Logs = Annotated[
    list[str], typer.Option("--log", help="Verifier key of a log, as `anchors init` prints it.")
]
_State = Annotated[
    Path, typer.Option(help="Folder for the checkpoint of each log that it cosigned last.")
]


@app.command()
def serve(
    *,
    name: _Name,
    key: _Key,
    log: _Logs,
    state: _State,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8421,
) -> None:
    """Answer `POST /add-checkpoint`, as c2sp.org/tlog-witness has it, until Ctrl-C."""
    import signal
    import threading

    from synapse_stream.system.signals import on_signals
    from synapse_stream.tlog.serving import WitnessServer

    witness = _witness(name, key, log, state)
    try:
        server = WitnessServer(witness, host, port)
    except OSError as error:
        msg = f"the witness cannot listen at {host}:{port}: {error}"
        raise ConfigError(msg) from error
    stop = threading.Event()
    on_signals(lambda _: stop.set(), signal.SIGTERM, signal.SIGINT)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"{witness.key} {server.url}", flush=True)
        stop.wait()
        server.shutdown()


@app.command()
def look(
    folder: Annotated[Path, typer.Argument(help="The log: ANCHORS/NAMESPACE.", metavar="LOG")],
    *,
    name: _Name,
    key: _Key,
    log: _Logs,
    state: _State,
) -> None:
    """Look at a log once, as from cron: cosign what has grown, and lay it beside the log.

    Exit code 1 when the log has not grown from what was cosigned before: it was rolled back, or
    forked. Then nothing is cosigned.
    """
    from synapse_stream.tlog.folder import LogFolder
    from synapse_stream.tlog.proofs import consistency
    from synapse_stream.tlog.witness import Asked, Refused

    witness, there = _witness(name, key, log, state), LogFolder(folder)
    try:
        signed = there.checkpoint()
        if signed is None:
            say_no(f"there is no log in {folder}")
        now, old = signed.checkpoint, witness.latest(signed.checkpoint.origin).size
        proof = consistency(old, now.size, there.tiles(now.size).hash)
        signature = witness.add(Asked(min(old, now.size), proof, signed))
        there.put_cosigned(signed, signature)
    except (DecodeError, Refused, OSError) as error:
        say_no(f"the log in {folder} is not cosigned: {error}")
    print(f"{now.size} entries of {now.origin} cosigned")


def _witness(name: str, key: Path, logs: list[str], state: Path) -> Witness:
    from synapse_stream.tlog.notes import Key, SigningKey, is_name
    from synapse_stream.tlog.witness import Witness

    if not is_name(name):
        msg = f"--name: {name!r} has a space or a plus"
        raise WrongUse(msg)
    try:
        return Witness(name, SigningKey(key.read_bytes()), map(Key.parse, logs), state)
    except DecodeError as error:
        msg = f"--log: {error}"
        raise WrongUse(msg) from error
    except OSError as error:
        msg = f"--state: {error}"
        raise ConfigError(msg) from error
