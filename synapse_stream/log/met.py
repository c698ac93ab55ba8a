"""The deployments that were met: a server that was emptied meanwhile is given its id again.

So what was accepted before goes on belonging there. This process remembers them, and a file beside
the spools does for those that come later.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import orjson

from synapse_stream.system.private import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE = ".deployments"

_met: dict[tuple[str, str], str] = {}


def proposal(server: str, namespace: str, spool_root: Path | None) -> str:
    """Return the id that a deployment had when it was met last, or a new one."""
    known = _met.get((server, namespace))
    if known is None and spool_root is not None:
        known = _read(spool_root).get(f"{namespace} {server}")
    return known or secrets.token_hex(8)


def is_known(server: str, namespace: str, spool_root: Path) -> bool:
    """Tell whether it was met before."""
    return (server, namespace) in _met or f"{namespace} {server}" in _read(spool_root)


def remember(server: str, namespace: str, deployment: str) -> None:
    """Note which deployment was met, in this process."""
    _met[server, namespace] = deployment


def keep(spool_root: Path) -> None:
    """Note all that this process met beside the spools; may wait for the disk."""
    known = _read(spool_root)
    new = {f"{namespace} {server}": found for (server, namespace), found in _met.items()}
    if known == known | new:
        return
    with contextlib.suppress(OSError):  # it is not there, or another user's
        replace_file(spool_root / _FILE, orjson.dumps(known | new))


def _read(spool_root: Path) -> dict[str, str]:
    try:
        found = orjson.loads((spool_root / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
