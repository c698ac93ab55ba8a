"""Whether others on this machine may read what is recorded here."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from synapse_stream.cli.operate.findings import Finding
from synapse_stream.system.private import open_to_others

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.settings import Settings

_MOST = 1_000  # files looked at
_OURS = (
    "server.json", "server", "views", "spool", "logs", "up.lock",
    "api.token", "api.key", "api.ended",
)  # fmt: skip


def examine_privacy(settings: Settings) -> Iterator[Finding]:
    """Look at the data directory's folders and files; yield nothing while there is none."""
    home = settings.data_dir
    ours = [home / name for name in _OURS if (home / name).exists()]
    if not ours:
        return
    is_open = [path for path in _below(ours) if open_to_others(path)]
    if not is_open:
        yield Finding("files", "ok", "nobody else may read them")
        return
    text = f"others on this machine may use {is_open[0]}"
    more = f" and {len(is_open) - 1} more" if len(is_open) > 1 else ""
    yield Finding("files", "warning", text + more, f"chmod -R go= {shlex.quote(str(home))}")


def _below(places: list[Path]) -> list[Path]:
    found: list[Path] = []
    for place in places:
        if place.is_symlink():
            continue
        found.append(place)
        if place.is_dir():
            found += [path for path in place.rglob("*") if not path.is_symlink()]
        if len(found) > _MOST:
            break
    return found[:_MOST]
