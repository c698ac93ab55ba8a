"""The archive's fold: which entries of a job are new, and its manifest.

Unlike a view's fold it unpacks nothing. The manifest is the job's document: `entries`, `strays`
(entries that are no batch), `events`, `bytes` of payloads, entry ids: the `first`, the `last` and
the highest (`top`: another one when a server's clock went back), and by producer `last` number,
`hash` there (hex), `batches`, `events` and `at`, the entry id of its newest batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import orjson

from consumers.errors import OutdatedFold
from synapse_stream.batch import parse_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.fold import Parked
    from synapse_stream.batch import Parts, RawEntry


class NewEntries(NamedTuple):
    """What a commit adds to a job."""

    start: int
    """How many entries stand before them."""
    entries: list[RawEntry]
    parts: list[Parts | None]
    """Of each entry, as `parse_fields` returns them."""


class ArchiveFold:
    """The manifest of one job; `has_changed` is True when entries came since `rows` was called."""

    name: ClassVar[str] = "archive"
    version: ClassVar[int] = 1
    """Raised when the same entries give another manifest."""

    def __init__(
        self,
        job_id: str,
        document: bytes | None,
        *,
        has_stray: Callable[[RawEntry], bool] = lambda _: False,
    ) -> None:
        """Go on from `document`, as `document` returned it, or begin a new job.

        A batch is known by its producer's number. `has_stray` tells whether an entry that is no
        batch is archived already; it is asked only for places before the last one.

        Raises:
            OutdatedFold: another version wrote the document.
        """
        self.job_id = job_id
        self.has_changed = False
        self._has_stray = has_stray
        self._new: list[RawEntry] = []
        self._parts: list[Parts | None] = []
        self._manifest: dict[str, Any] = _begin()
        if document is not None:
            self._manifest = orjson.loads(document)
        if self._manifest["v"] != self.version:
            msg = f"the manifest of job {job_id!r} is of version {self._manifest['v']}"
            raise OutdatedFold(msg)
        self._producers: dict[str, dict[str, Any]] = self._manifest["producers"]
        self._start: int = self._manifest["entries"]

    def apply(self, entry: RawEntry) -> list[Parked]:
        """Take an entry that is not archived yet; nothing is ever parked.

        A batch of which some events are known is taken as a whole: readers drop what they know.
        """
        part = parse_fields(entry.fields)
        if part is None:
            if not self._is_known_stray(entry):
                self._manifest["strays"] += 1
                self._take(entry, None, sum(map(len, entry.fields.values())))
            return []
        name = part.producer.decode()
        mark = self._producers.get(name)
        if mark is None:
            mark = self._producers[name] = {"last": -1, "batches": 0, "events": 0}
        if part.last > mark["last"]:
            fresh = part.last - max(mark["last"], part.first - 1)
            mark["last"] = part.last
            mark["hash"] = part.hash.hex()
            mark["batches"] += 1
            mark["events"] += fresh
            mark["at"] = entry[:2]
            self._manifest["events"] += fresh
            self._take(entry, part, len(part.payload))
        return []

    def retry(self, _parked: Parked) -> str | None:
        """Return why: nothing is ever parked, so there is nothing to be tried again."""
        return "the archive parks nothing"

    def document(self) -> bytes:
        """Return the manifest as JSON with sorted keys."""
        return orjson.dumps(self._manifest, option=orjson.OPT_SORT_KEYS)

    def rows(self) -> NewEntries:
        """Return what came since the last call."""
        self.has_changed = False
        new = NewEntries(self._start, self._new, self._parts)
        self._new, self._parts = [], []
        self._start = self._manifest["entries"]
        return new

    def _take(self, entry: RawEntry, part: Parts | None, size: int) -> None:
        manifest = self._manifest
        manifest["entries"] += 1
        manifest["bytes"] += size
        manifest["last"] = entry[:2]
        manifest["top"] = max(entry[:2], tuple(manifest["top"]))
        if manifest["first"] is None:
            manifest["first"] = entry[:2]
        self._new.append(entry)
        self._parts.append(part)
        self.has_changed = True

    def _is_known_stray(self, entry: RawEntry) -> bool:
        if entry[:2] > tuple(self._manifest["top"]):
            return False
        return entry in self._new or self._has_stray(entry)


def _begin() -> dict[str, Any]:
    return {
        "v": ArchiveFold.version,
        "entries": 0,
        "strays": 0,
        "events": 0,
        "bytes": 0,
        "first": None,
        "last": None,
        "top": (0, 0),
        "producers": {},
    }
