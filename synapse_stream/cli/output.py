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
    """Print one line of JSON."""
    print(orjson.dumps(value, default=str).decode(), flush=True)


def coloured(text: str, colour: str | None) -> str:
    """Colour `text` where a terminal shows it and NO_COLOR is not set."""
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colour)
