"""What store, server and signer remember of the newest checkpoint, so that none can be cut away.

Nothing in a log tells that its tail is gone, or all of it, as when its place is not mounted. So who
signs remembers the newest signed checkpoint in three places, and signs nothing that does not follow
from it; `verify` compares.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from consumers.store.anchor_heads import AnchorHeads
from synapse_stream.errors import DecodeError
from synapse_stream.system.private import make_folder
from synapse_stream.tlog.checkpoint import SignedCheckpoint

if TYPE_CHECKING:
    from consumers.store.databases import Databases
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings


class Memory:
    """What is remembered of a deployment's log. Every method raises an OSError when one is away."""

    def __init__(self, databases: Databases, log: FeedLog, settings: Settings) -> None:
        self._heads = AnchorHeads(databases)
        self._log = log
        self._file = settings.data_dir / "anchors-remembered" / settings.namespace

    def recall(self) -> dict[str, SignedCheckpoint]:
        """Return who remembers which checkpoint as the newest one."""
        texts = {
            "the store": self._heads.recall().get("checkpoint"),
            "the server": self._log.checkpoint_of_anchors(),
            "this machine": self._read(),
        }
        found = {}
        for place, text in texts.items():
            with suppress(DecodeError):
                found[place] = SignedCheckpoint.parse(str(text or "").encode())
        return found

    def remember(self, signed: SignedCheckpoint) -> None:
        """Have all remember a checkpoint as the newest one; nothing is refused any more."""
        text = str(signed.note)
        self._heads.remember({"checkpoint": text})
        self._log.note_checkpoint_of_anchors(text)
        make_folder(self._file.parent)
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        new.write_text(text)
        new.replace(self._file)

    def refuse(self, reason: str) -> None:
        """Have it be known that nothing is signed."""
        self._heads.remember(self._heads.recall() | {"refused": reason})

    def _read(self) -> str:
        try:
            return self._file.read_text()
        except FileNotFoundError:
            return ""
