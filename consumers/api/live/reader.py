"""The thread that reads the feeds: once, whatever the number of jobs and clients.

One turn: wait for pointers, read on in the jobs that are watched and named, hand their frames to
the event loop. Turns keep a pace, so that at a high rate many events become one frame.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.mending import AHEAD_MS
from synapse_stream.log.pauses import pause_after
from synapse_stream.reading.job_reader import JobReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.api.live.channel import Channel
    from consumers.api.live.frames import Frame
    from consumers.api.sources import Sources
    from synapse_stream.entries.entry import EntryId, FeedPointer

_POINTERS_A_TURN = 1_000
_PAGES_A_TURN = 16
"""Of one job; a job that has more goes on in the next turn, so that the others have theirs."""
_BLOCK_MS = 200
_CLOCKS_DIFFER_MS = 10_000
_SAME_SERVER_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 2.0
_logger = logging.getLogger(__name__)


class FeedReader:
    """Reads for the channels that are watched, from `start` to `stop`.

    Args:
        sources: of the deployment.
        post: has the event loop call a function soon; the calls keep their order.
        note: is told in this thread which partition's feed has named what.
        pace: returns how many seconds a turn should take at least.
        drop: is called by the event loop for a channel that cannot be read on for.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        post: Callable[[Callable[[], object]], None],
        note: Callable[[int, Sequence[FeedPointer]], None],
        pace: Callable[[], float],
        drop: Callable[[Channel], None],
    ) -> None:
        self._settings = settings = sources.settings
        self._clock = sources.clock
        self._outages = sources.outages
        self._post = post
        self._note = note
        self._pace = pace
        self._drop = drop
        self._watched: dict[str, Channel] = {}
        self._arrivals: SimpleQueue[Channel] = SimpleQueue()
        self._after: dict[int, EntryId] = {}
        # what the list's first clients ask for must not have changed unseen before the server came
        self._started: EntryId = (time.time_ns() // 1_000_000 - _CLOCKS_DIFFER_MS, 0)
        self._due: set[str] = set()
        self._log = FeedLog.open(settings)
        self._jobs = JobReader(self._log, lambda: sources.archive)
        self._is_connected = False
        self._same_server_at = 0.0
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it: less than a second, unless the server hangs."""
        self._stop.set()
        self._thread.join()

    def watch(self, channel: Channel) -> None:
        """Read for a channel, too; its tracker belongs to this thread from now on."""
        self._arrivals.put(channel)

    def forget(self, channel: Channel) -> None:
        """Read no more for a channel; another of its job is read on for."""
        if self._watched.get(channel.job_id) is channel:
            del self._watched[channel.job_id]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, it begins again
                if isinstance(error, LogUnavailable):
                    self._clock.missed()
                self._outages.tell(error)
                self._pause()
        self._disconnect()

    def _turn(self) -> None:
        begun = time.monotonic()
        self._connect()
        self._welcome()
        block_ms = 1 if self._due else _BLOCK_MS
        found = self._log.wait_feeds(self._after, limit=_POINTERS_A_TURN, block_ms=block_ms)
        self._clock.heard()
        self._check_same_server()
        latest = (self._clock.now_ms() + AHEAD_MS, 0)
        for partition, pointers in found.items():
            # what lies further ahead goes, or comes again with an id of now: see FeedLog.mend
            known = [one.entry for one in pointers if one.entry < latest]
            self._after[partition] = known[-1] if known else self._after[partition]
            self._note(partition, pointers)
            self._due.update(p.job_id for p in pointers if p.job_id in self._watched)
        now_ms, judging_ms = self._clock.now_ms(), self._clock.judging_ms()
        for channel in list(self._watched.values()):
            self._serve(channel, now_ms, judging_ms)
        self._due &= self._watched.keys()
        if found and not self._due:
            self._stop.wait(max(0.0, self._pace() - (time.monotonic() - begun)))

    def _serve(self, channel: Channel, now_ms: int, judging_ms: int) -> None:
        """Read on in a job if it was named, and hand over what is new."""
        frames: list[Frame] = []
        try:
            if channel.job_id in self._due:
                self._read(channel, frames)
        except (LogUnavailable, StoreUnavailable):
            raise
        except Exception:
            _logger.exception(
                "job %r cannot be followed on; its clients begin anew", channel.job_id
            )
            self.forget(channel)
            self._post(partial(self._drop, channel))
        finally:  # what was read before a fault is not read again
            snapshot = channel.tracker.news(now_ms, judging_ms)
            if frames or snapshot is not None:
                self._post(partial(channel.publish, frames, snapshot))

    def _read(self, channel: Channel, frames: list[Frame]) -> None:
        for _ in range(_PAGES_A_TURN):
            found = channel.tracker.read(self._jobs)
            frames += found.frames
            if found.is_lost:
                self._post(partial(channel.publish, frames.copy(), None))
                frames.clear()
                self._restart(channel)
            elif not found.has_more:
                self._due.discard(channel.job_id)
                return

    def _welcome(self) -> None:
        """Begin to read for channels that have come since the last turn."""
        while not self._arrivals.empty():
            channel = self._arrivals.get()
            self._watched[channel.job_id] = channel
            self._due.add(channel.job_id)

    def _restart(self, channel: Channel) -> None:
        """Find the place again in a stream that is another one, and tell the readers."""
        channel.tracker.find_place(self._jobs, int(self._settings.rewind_seconds * 1000))
        clock = self._clock
        snapshot = channel.tracker.snapshot(clock.now_ms(), clock.judging_ms())
        if snapshot is not None:
            self._post(partial(channel.restart, snapshot))

    def _connect(self) -> None:
        if self._is_connected:
            return
        self._log.check(found=False)
        for partition in range(self._settings.partitions):
            self._after[partition] = self._begin(partition, self._log.feed_last(partition))
        self._is_connected = True
        self._due.update(self._watched)
        self._same_server_at = time.monotonic() + _SAME_SERVER_SECONDS
        self._failures = 0

    def _begin(self, partition: int, last: EntryId) -> EntryId:
        """Return where to read a feed from: this start, and after a fault some time before.

        A server that lost its tail, and whose clock went back, may have put new entries there.
        """
        seen = self._after.get(partition)
        if seen is None:
            return min(last, self._started)
        rewind_ms = int(self._settings.rewind_seconds * 1000)
        return (max(0, min(seen, last)[0] - rewind_ms), 0)

    def _check_same_server(self) -> None:
        if time.monotonic() >= self._same_server_at:
            self._log.check_same_server()
            self._same_server_at = time.monotonic() + _SAME_SERVER_SECONDS

    def _pause(self) -> None:
        self._disconnect()
        self._failures += 1
        self._stop.wait(pause_after(self._failures, _LONGEST_PAUSE_SECONDS))

    def _disconnect(self) -> None:
        self._log.close()
        self._is_connected = False
