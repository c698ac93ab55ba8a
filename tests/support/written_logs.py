"""Logs that stand in a text, as the vectors of the docs do, read by our verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.audit.trust import Trust
from synapse_stream.entries.tree import leaf
from synapse_stream.settings import Settings
from synapse_stream.tlog.folder import CHECKPOINT, LogFolder
from synapse_stream.tlog.tiles import bundle, path

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.tlog.checkpoint import SignedCheckpoint


class Nobody:
    """Who remembers nothing."""

    def recall(self) -> dict[str, SignedCheckpoint]:
        return {}


def trusted(home: Path, namespace: str, log: dict[str, Any]) -> Trust:
    """Write a log of up to 256 entries to a folder, and read it by its key."""
    folder = LogFolder(home / "anchors" / namespace)
    entries = [entry.encode() for entry in log["entries"]]
    folder.write(path("entries", 0, len(entries)), bundle(entries))
    folder.write(path(0, 0, len(entries)), b"".join(map(leaf, entries)))
    folder.write(CHECKPOINT, log["checkpoint"].encode())
    settings = Settings(
        data_dir=home, namespace=namespace, anchors=home / "anchors", verify_keys=log["key"]
    )
    trust = Trust(settings, Nobody())  # type: ignore[arg-type]
    trust.read()
    return trust
