"""What a shipper notes in the spool, so that whoever adopts it goes on in the same way."""

from __future__ import annotations

import contextlib
import mmap
import threading
from typing import TYPE_CHECKING

from synapse_stream.log import met
from synapse_stream.producer.shipping.shipper import Notes
from synapse_stream.producer.spool.children import Family, children, merged, note_child
from synapse_stream.producer.spool.notes import claim, claims, names, note_name
from synapse_stream.producer.spool.sent import (
    NOTHING,
    PAGE_BYTES,
    Mark,
    Progress,
    Sent,
    load,
    make_page,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from synapse_stream.producer.spool.children import ChildNote
    from synapse_stream.producer.spool.notes import Name


_SEVERAL = 2


class Journal(Notes):
    """The notes in the homes of one spool; where one cannot be written, nothing else suffers.

    Args:
        homes: the homes that there are, hot before cold; the page is kept in the first.
        writes: False to read only.
    """

    def __init__(self, homes: Sequence[Path], *, writes: bool = True) -> None:
        self._homes = homes
        self.claims = claims(homes)
        """Deployments that accepted something."""
        self.names = names(homes)
        """Names under which the events went on, in order."""
        found = next((found for home in homes if (found := load(home))), None)
        self.is_known = found is not None
        """True when something says how far the spool was sent."""
        if found is None or found.name != len(self.names):
            found = Progress(len(self.names), NOTHING, NOTHING)
        self.progress = found
        """How far it was sent, under the last of its names."""
        self._spread = 0
        self._lock = threading.Lock()  # of the page, which who moves in exchanges
        self._page: Sent | None = None
        self._families: list[Family] = []
        if writes:
            self._take(_page_of(homes))

    @property
    def family(self) -> Family | None:
        """Where its children say that they are."""
        return self._families[-1] if self._families else None

    def children(self) -> list[ChildNote]:
        """Return the children that have said so."""
        noted = [child for family in self._families for child in family.children()]
        return merged([*children(self._homes), *noted])

    def move_in(self, homes: Sequence[Path]) -> None:
        """Note everything in homes that could not be made before."""
        with contextlib.suppress(OSError):
            page = make_page(homes[0])
            with self._lock:
                self._homes = homes
                self._take(page)
                self._note_on_page()
            self._write_claims(homes)
            self._write_names(homes[0])

    def send(self, number: int, link: bytes) -> None:
        """Note the head of a batch that is about to be sent."""
        self._note(self.progress._replace(in_flight=Mark(number, link)))

    def take(self, number: int, link: bytes) -> None:
        """Note the head that the server has."""
        head = Mark(number, link)
        self._note(self.progress._replace(acknowledged=head, in_flight=head))

    def rename(self, heir: Name) -> None:
        """Note under which name the events go on, before they do.

        Raises:
            OSError: it cannot be written; then nothing may go by this name.
        """
        for home in self._homes[:1]:
            note_name(home, heir)
        self.names.append(heir)
        self._note(Progress(len(self.names), NOTHING, NOTHING))

    def claim(self, deployment: str) -> None:
        """Note that a deployment accepted something."""
        if deployment not in self.claims:
            self.claims.append(deployment)
            self._write_claims(self._homes[:1])

    def spread(self) -> None:
        """Write into the other homes, too, whose the spool is; may wait for a disk."""
        if self._spread != len(self.claims):
            self._spread = len(self.claims)
            self._write_claims(self._homes[1:])
            for home in self._homes[-1:]:
                met.keep(home.parent)

    def settle(self) -> None:
        """Write everything into the last home, which alone is left; may wait for a disk."""
        if len(self._homes) < _SEVERAL:
            return
        others, last = self._homes[:-1], self._homes[-1]
        self._homes = [last]
        self._write_claims([last])
        for child in children(others):
            note_child([last], child)
        with contextlib.suppress(OSError):
            self._write_names(last)
            self._page = Sent(make_page(last))
            self._note_on_page()

    def close(self) -> None:
        """Note nothing any more."""
        if self._page is not None:
            self._page.close()

    def _write_claims(self, homes: Sequence[Path]) -> None:
        with contextlib.suppress(OSError):
            for deployment in self.claims:
                claim(homes, deployment)

    def _write_names(self, home: Path) -> None:
        for heir in self.names[len(names([home])) :]:
            note_name(home, heir)

    def _note(self, progress: Progress) -> None:
        with self._lock:
            self.progress = progress
            self._note_on_page()

    def _note_on_page(self) -> None:
        if self._page is not None:
            self._page.note(self.progress)

    def _take(self, page: mmap.mmap) -> None:
        self._page = Sent(page)
        self._families.append(Family(page))


def _page_of(homes: Sequence[Path]) -> mmap.mmap:
    """Return the page in the first home; where there is none, one that ends with the process."""
    for home in homes[:1]:
        with contextlib.suppress(OSError):
            return make_page(home)
    return mmap.mmap(-1, PAGE_BYTES)
