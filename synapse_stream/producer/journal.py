"""What a shipper notes in the spool, so that whoever adopts it goes on in the same way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from synapse_stream.producer.notes import Name, claim, claims, names, note_name
from synapse_stream.producer.sent import NOTHING, Mark, Progress, Sent, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Journal:
    """The notes in the homes of one spool; where one cannot be written, nothing else suffers.

    Args:
        homes: the homes that there are, hot before cold; pages are kept in the first.
    """

    def __init__(self, homes: Sequence[Path]) -> None:
        self._homes = homes
        self._claims = set(claims(homes))
        self.names = names(homes)
        """Names under which the events went on, in order."""
        found = next((found for home in homes if (found := load(home))), None)
        self.is_known = found is not None
        """True when something says how far the spool was sent."""
        if found is None or found.name != len(self.names):
            found = Progress(len(self.names), NOTHING, NOTHING)
        self.progress = found
        """How far it was sent, under the last of its names."""
        self._page: Sent | None = None
        with contextlib.suppress(OSError):
            self._page = Sent.create(homes[0]) if homes else None

    def send(self, number: int, link: bytes) -> None:
        """Note the head of a batch that is about to be sent."""
        self._note(self.progress._replace(in_flight=Mark(number, link)))

    def take(self, number: int, link: bytes) -> None:
        """Note the head that the server has."""
        self._note(Progress(len(self.names), Mark(number, link), Mark(number, link)))

    def rename(self, name: Name) -> None:
        """Note under which name the events go on, before they do.

        Raises:
            OSError: it cannot be written; then nothing may go by this name.
        """
        if self._homes:
            note_name(self._homes[0], name)
        self.names.append(name)
        self._note(Progress(len(self.names), NOTHING, NOTHING))

    def claim(self, deployment: str) -> None:
        """Note that a deployment accepted something; a disk that hangs is waited for."""
        if deployment not in self._claims:
            self._claims.add(deployment)
            with contextlib.suppress(OSError):
                claim(self._homes, deployment)

    def close(self) -> None:
        """Note nothing any more."""
        if self._page is not None:
            self._page.close()

    def _note(self, progress: Progress) -> None:
        self.progress = progress
        if self._page is not None:
            self._page.note(progress)
