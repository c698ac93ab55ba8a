"""Which requests wait for what has not happened yet, so that their answers may take for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMS = "/v1/stream/"
_LIVE = "/live"


def is_endless(scope: Mapping[str, Any]) -> bool:
    """Tell whether a request follows live: of streams those that say so, else those below it."""
    path: str = scope["path"]
    if path.startswith(STREAMS):
        return b"live=" in scope["query_string"]
    return path.endswith(_LIVE)
