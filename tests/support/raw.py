"""The server as another hand than ours may use it."""

from __future__ import annotations

from typing import Any


def client_of(log: Any) -> Any:
    """Return what a log speaks to the server through, for what no log does itself."""
    return log._client
