"""Bring back into order what somebody else wrote to a feed, so that its partition goes on.

A feed of another type is put aside. Ids that lie far ahead of the server's clock are given back:
entries get ids of now, and pointers without an entry go. Nobody needs to stop for it; who reads a
stream meanwhile sees it as it was or as it is.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import EventLog
from synapse_stream.log.failures import is_wrong_type, suppress_wrong_type
from synapse_stream.log.replies import entry_id

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId

AHEAD_MS = 24 * 3600 * 1000
"""How far an id may be ahead of the server's clock, which may go back."""

LARGEST_NUMBER = 2**63 - 1
"""Most that a number of an id may be: what databases take."""
LARGEST_ID = 2**64 - 1
"""Most that a server takes."""

_VERY_LAST = (LARGEST_ID, LARGEST_ID)

_COPY = files(__package__).joinpath("copy_stream.lua").read_bytes()
_MEND = files(__package__).joinpath("mend_feed.lua").read_bytes()
_ASIDE = files(__package__).joinpath("put_aside.lua").read_bytes()
_POINTERS_A_STEP, _ENTRIES_A_STEP = 5_000, 20
_TRIALS = 5


class MendingLog(EventLog):
    """An event log whose feeds can be mended."""

    _role = "consumer"

    def now_ms(self) -> int:
        """Return the server's clock, in milliseconds since the epoch."""
        seconds, micros = self._command("asking for the time", "TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def feed_last(self, partition: int) -> EntryId:
        """Return the id of the newest entry that was ever added to a feed; (0, 0) for none."""
        return self._last(self.keys.feed(partition))

    def check_feed(self, partition: int) -> EntryId:
        """Return `feed_last`, after the feed was mended if need be."""
        limit: EntryId | None = None
        with suppress(_OtherType):
            last = self._last_of_stream(self.keys.feed(partition))
            if last[0] <= self.now_ms() + AHEAD_MS and last[1] <= LARGEST_NUMBER:
                return last
            limit = (last[0], LARGEST_NUMBER) if last[1] > LARGEST_NUMBER else None
        self.mend(partition, limit)
        return self.feed_last(partition)

    def mend(self, partition: int, limit: EntryId | None = None) -> list[EntryId]:
        """Mend a feed; mostly there is nothing to do.

        Args:
            partition: whose feed.
            limit: from which id on they are given back, if not only far ahead of the clock.

        Returns:
            The ids of pointers that went.
        """
        feed, now_ms = self.keys.feed(partition), self.now_ms()
        doing = f"mending feed {partition}"
        ahead = (now_ms + AHEAD_MS, 0)
        limit = min(limit, ahead) if limit else ahead
        for _ in range(_TRIALS):
            self._command(doing, "EVAL", _ASIDE, 2, feed, f"{feed}:odd:{now_ms}")
            last = self._last(feed)
            if last < limit or (last < ahead and not self._is_odd(feed, limit, last)):
                return []
            with suppress_wrong_type():  # what somebody else writes just now
                gone = self._try_to_mend(doing, partition, limit)
                if gone is not None:
                    return gone
        return []

    def _try_to_mend(self, doing: str, partition: int, first: EntryId) -> list[EntryId] | None:
        """Return None when something has come meanwhile."""
        limit = "{}-{}".format(*first)
        named: dict[str, None] = {}
        after = (first[0], first[1] - 1) if first[1] else (first[0] - 1, LARGEST_ID)
        while after < _VERY_LAST and (page := self.read_feed(partition, after)):
            named.update((pointer.job_id, None) for pointer in page if pointer.job_id)
            after = page[-1].entry
        jobs = [job_id for job_id in named if self._reaches(self.keys.job(job_id), first)]
        feed, streams = self.keys.feed(partition), [self.keys.job(job_id) for job_id in jobs]
        for key in (feed, *streams):
            count = _POINTERS_A_STEP if key == feed else _ENTRIES_A_STEP
            while self._command(doing, "EVAL", _COPY, 2, key, _copy_of(key), limit, count):
                pass
        keys = [name for key in (feed, *streams) for name in (key, _copy_of(key))]
        until = "{}-{}".format(*after) if after >= first else ""
        gone: Any = self._command(doing, "EVAL", _MEND, len(keys), *keys, limit, until, *jobs)
        return None if gone == 0 else [entry_id(one) for one in gone]

    def _is_odd(self, feed: str, limit: EntryId, last: EntryId) -> bool:
        """Tell whether what has an odd number is there still: another may have mended it."""
        at = "{}-{}".format(*limit)
        there = self._command("looking for a pointer", "XRANGE", feed, at, at)
        return bool(there) or last[1] > LARGEST_NUMBER

    def _reaches(self, key: str, limit: EntryId) -> bool:
        try:
            return self._last_of_stream(key) >= limit
        except _OtherType:
            return False

    def _last_of_stream(self, key: str) -> EntryId:
        try:
            return self._last(key)
        except LogUnavailable as error:
            if is_wrong_type(error):
                raise _OtherType from error
            raise

    def _last(self, key: str) -> EntryId:
        info = self.stream_info(key)
        return (0, 0) if info is None else entry_id(info[b"last-generated-id"])


class _OtherType(Exception):
    """A key is no stream."""


def _copy_of(key: str) -> str:
    return f"{key}:mended"
