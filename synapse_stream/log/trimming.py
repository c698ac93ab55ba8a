"""Trim the streams of a partition, and keep whoever would miss what is gone from reading on.

An entry and its pointer in the feed bear the same id, so one id says where both are cut. The oldest
pointers name the streams to be trimmed; the feed follows, so a trim that was cut short is done
again. A feed is never dropped: its newest id is what new ones must be above.
"""

from __future__ import annotations

import time
from importlib.resources import files
from typing import TYPE_CHECKING

from synapse_stream.entries.answers import TrimCount
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId

_TRIM = files(__package__).joinpath("trim.lua").read_bytes()
_TRIM_FEED = files(__package__).joinpath("trim_feed.lua").read_bytes()
_WRITE_ANEW = files(__package__).joinpath("write_anew.lua").read_bytes()
_LOOK_SECONDS = 0.1
_ENTRIES_A_STEP = 20


class TrimLog(FeedLog):
    """A log whose streams can be trimmed. Whether that is right is the caller's matter."""

    def trim(self, partition: int, before: EntryId, *, limit: int = 5_000) -> TrimCount:
        """Remove the oldest entries that have ids below `before`, about `limit` at most."""
        feed, (ms, seq) = self.keys.feed(partition), before
        doing = f"trimming partition {partition}"
        pointers = self.read_feed(partition, until=f"({ms}-{seq}", limit=limit)
        if not pointers:
            return TrimCount()
        is_done = len(pointers) < limit
        if not is_done:
            ms, seq = pointers[-1].entry
            seq += 1
        jobs = dict.fromkeys(pointer.job_id for pointer in pointers if pointer.job_id)
        commands = [("EVAL", _TRIM, 1, self.keys.job(job_id), f"{ms}-{seq}") for job_id in jobs]
        with self._translated(doing):
            replies = self._execute_all(commands)
        trimmed = self.keys.trimmed(partition)
        self._command(doing, "EVAL", _TRIM_FEED, 2, feed, trimmed, f"{ms}-{seq}")
        return TrimCount(
            sum(removed for removed, _ in replies),
            sum(pointer.count for pointer in pointers),
            sum(dropped for _, dropped in replies),
            is_done,
        )

    def trim_job_for_good(self, job_id: str, upto: EntryId) -> None:
        """Remove the entries of one job up to the id `upto`, of which all is archived.

        A server keeps the bytes of what it trims beside those of the next entries, so what is left
        of the stream is written anew. A long one is copied in steps, between which others are
        served, and takes its room twice meanwhile; then the copy takes its place in one step.

        Raises LogUnavailable, as when the server is out of memory; done again, it goes on there.
        """
        ms, seq = upto
        doing = f"trimming job {job_id!r}"
        stream, copy = self.keys.job(job_id), self.keys.anew(job_id)
        self._command(doing, "EVAL", _TRIM, 1, stream, f"{ms}-{seq + 1}")
        while self._command(doing, "EVAL", _WRITE_ANEW, 2, stream, copy, _ENTRIES_A_STEP):
            pass

    def rewrite_file(self, seconds: float) -> str | None:
        """Have the server write its append-only file anew, and wait for that; return why not.

        What was removed stands there until then.
        """
        doing = "having the append-only file written anew"
        info = self._command(doing, "INFO", "persistence")
        if not info.get("aof_enabled"):
            return None
        until = time.monotonic() + seconds
        is_asked = False
        while time.monotonic() < until:
            is_busy = info.get("aof_rewrite_in_progress") or info.get("aof_rewrite_scheduled")
            if not is_busy:
                if is_asked:
                    return None
                self._command(doing, "BGREWRITEAOF")
                is_asked = True
            time.sleep(_LOOK_SECONDS)
            info = self._command(doing, "INFO", "persistence")
        return f"its append-only file was not written anew within {seconds:.0f} s"

    def count_before(self, partition: int, before: EntryId, *, limit: int = 5_000) -> TrimCount:
        """Count what `trim` would remove in all, by the feed."""
        until = "({}-{}".format(*before)
        found, after = TrimCount(), (0, 0)
        while pointers := self.read_feed(partition, after, until=until, limit=limit):
            events = sum(pointer.count for pointer in pointers)
            found = found.plus(TrimCount(len(pointers), events))
            after = pointers[-1].entry
        return found

    def retire(self, projection: str, now_ms: int) -> None:
        """Write down that trimming no longer waits for a projection."""
        self._command(f"retiring {projection}", "HSET", self.keys.retired, projection, now_ms)

    def restore(self, projection: str) -> None:
        """Have trimming wait for a projection again, as after a rebuild."""
        self._command(f"restoring {projection}", "HDEL", self.keys.retired, projection)
