"""Serve the HTTP API and the page: `python -m consumers.api [--host 127.0.0.1] [--port 8420]`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import uvicorn

from consumers.api.app import create_app
from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes.

    Returns:
        Exit status: 0 after a signal, 2 when the settings are wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m consumers.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8420)
    options = parser.parse_args(arguments)
    try:
        app = create_app(Settings.load())
    except ConfigError as error:
        print(f"python -m consumers.api: {error}", file=sys.stderr)  # noqa: T201 - our own output
        return 2
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
