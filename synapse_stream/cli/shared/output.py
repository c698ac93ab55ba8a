"""What the commands share in printing."""

from __future__ import annotations

import os
import sys
from typing import Any

import orjson
import typer


class WrongUse(Exception):
    """The command was called wrongly; the message names the argument and what is allowed."""


def print_json(value: Any) -> None:
    """Print one line of JSON: UTF-8, whatever the locale."""
    line = orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE)
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a stream of somebody's own
        sys.stdout.write(line.decode())
    else:
        buffer.write(line)
    sys.stdout.flush()


def coloured(text: str, colour: str | None) -> str:
    """Colour `text` where a terminal shows it and NO_COLOR is not set."""
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colour)
