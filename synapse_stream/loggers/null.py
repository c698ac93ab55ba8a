"""A logger that checks arguments and keeps nothing."""

from __future__ import annotations

from typing import Any

from synapse_stream.loggers.base import BaseLogger


class NullLogger(BaseLogger):
    """For runs that nobody watches: wrong arguments still raise, the rest vanishes."""

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Keep nothing."""
