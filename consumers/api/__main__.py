"""Serve the HTTP API and the page: `python -m consumers.api [--host 127.0.0.1] [--port 8420]`."""

from __future__ import annotations

import argparse
import logging
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from consumers.api.access import Access
from consumers.api.app import create_app
from consumers.api.connections import spare_memory
from consumers.api.server import server_of, spare_collector
from consumers.logs import write_logs
from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

_logger = logging.getLogger(__name__)
_WITHOUT = "every user and every program of this machine may see and do everything, as operator"
_LARGEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes.

    Returns:
        Exit status: 0 after a signal, 1 when the port cannot be had, 2 when the settings are wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m consumers.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="beyond this machine it needs tokens")
    parser.add_argument("--port", default=8420, type=_port, help="0 takes any free one")
    parser.add_argument("--no-token", action="store_true", help=_WITHOUT)
    options = parser.parse_args(arguments)
    write_logs("api")
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # when it starts and stops, and where
    try:
        app = _open(options.host, is_open=options.no_token)
    except ConfigError as error:
        print(f"python -m consumers.api: {error}", file=sys.stderr)  # noqa: T201 - our own output
        return 2
    spare_memory()
    spare_collector()
    server = server_of(app, options.host, options.port)
    server.run()
    return 0 if server.started else 1


def _open(host: str, *, is_open: bool) -> FastAPI:
    """Make the application.

    Raises:
        ConfigError: the settings are wrong, or it would be open to others than this machine.
    """
    settings = Settings.load()
    access = Access.load(settings)
    if not _is_here(host) and not access.demands_token:
        msg = (
            f"--host {host} would show every job to whoever reaches it: "
            "set SYNAPSE_STREAM_API_TOKENS, or leave --host at 127.0.0.1"
        )
        raise ConfigError(msg)
    if access.demands_token:
        return create_app(settings, access)
    if is_open:
        _logger.warning("--no-token: %s", _WITHOUT)
        return create_app(settings, access)
    _logger.info("callers prove themselves by the token in %s", settings.token_file)
    return create_app(settings, Access.of_this_machine(settings))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _LARGEST_PORT:
        msg = f"{port} is not from 0 to {_LARGEST_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return port


if __name__ == "__main__":
    sys.exit(main())
