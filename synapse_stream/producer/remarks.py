"""What is said of a producer that has no room, or reports more than it may: each thing once."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from synapse_stream.events.encoding import encode
from synapse_stream.saying import voice
from synapse_stream.system.descriptors import NO_DESCRIPTOR

if TYPE_CHECKING:
    from synapse_stream.producer.spool.spool import Spool

_OVER_SECONDS = 60.0
_MORE_ROOM = "free some, or set SYNAPSE_STREAM_SPOOL_DIR"
_NEARLY = 0.8
_ALL = 1.0
_HOW = "SYNAPSE_STREAM_QUOTA_BYTES_A_SECOND sets the quota"


class Remarks:
    """Says it on the plugin's log, and what its readers should know in the run, too."""

    def __init__(self, spool: Spool, bytes_a_second: int) -> None:
        self._spool = spool
        self._quota = f"{bytes_a_second:,} bytes a second as a mean over a minute"
        self._troubles: dict[int | None, float] = {}
        self._used = 0.0

    def make(self, now: float) -> None:
        """Say what is new at `now`, on the monotonic clock.

        Raises:
            RunEnded: the spool is sealed.
        """
        self._tell_trouble(now)
        used = self._spool.quota.used
        if used >= _ALL > self._used:
            self._used = _ALL
            self._warn(
                f"this process reports more than its quota of {self._quota}: while it does, dev "
                "events are given up, and progress and metrics but for the newest of each; "
                f"what is given up is counted. {_HOW}"
            )
        elif used >= _NEARLY > self._used:
            self._used = _NEARLY
            self._warn(
                f"this process has used {_NEARLY:.0%} of its quota of {self._quota}; beyond it, "
                f"dev events are given up first, then progress and metrics. {_HOW}"
            )

    def _tell_trouble(self, now: float) -> None:
        """Say why the spool has no room: once, and again when that was over for a while."""
        trouble = self._spool.trouble
        if trouble is None:
            return
        before = self._troubles.get(trouble.errno, -inf)
        self._troubles[trouble.errno] = now
        if now - before > _OVER_SECONDS:
            is_limit = trouble.errno in NO_DESCRIPTOR
            how = "close files, or raise their limit (ulimit -n)" if is_limit else _MORE_ROOM
            voice.warn(
                "job %s: the spool %s has no room: %s; %s",
                *(self._spool.job_id, self._spool.place, trouble, how),
            )

    def _warn(self, text: str) -> None:
        (body,) = encode("message", None, {"content": text, "level": "warning"})
        self._spool.append("message", body)
        voice.warn("job %s: %s", self._spool.job_id, text)
