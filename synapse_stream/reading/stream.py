"""Read a job: all that is recorded, what is recorded while it runs, and the views of it."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from synapse_stream.entries.position import BEGINNING, Position, is_between
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.log.pauses import pause_after
from synapse_stream.ports.archive import open_archive
from synapse_stream.ports.history import at_microseconds, state_at, view_at
from synapse_stream.reading.clock import open_clock
from synapse_stream.reading.ending import is_over
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.reading.job_views import Metrics, all_messages, find_series, opened
from synapse_stream.reading.recorded import events_of, new_events_of
from synapse_stream.reading.shown import Shown
from synapse_stream.saying import voice
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.erasing import Erasure
    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.history import Moment
    from synapse_stream.ports.views import Message, RunState, Series, ViewState
    from synapse_stream.reading.remote_job import RemoteJob

_PAGE = 20  # entries; one may hold some megabytes
_BLOCK_MS = 5_000
_LONGEST_PAUSE_SECONDS = 2.0
_TURNS = tuple(
    f'"type":"{kind}"'.encode() for kind in ("run_started", "resumed", "end", "producer_lost")
)

_T = TypeVar("_T")


class JobStream(Shown):
    """The stream of one job.

    What cannot be decoded comes as an `Undecodable` event in its place: nothing is left out.
    Each `read` and `tail` has its own connection, given up when its iterator ends or is closed.
    With a `url` in the settings all is asked of that API: what its token may see.
    """

    def __init__(
        self, job_id: str, settings: Settings | None = None, *, log: EventLog | None = None
    ) -> None:
        """Name the job; `settings` are those of the environment. A given `log` stays open."""
        self.job_id = job_id
        self._settings = settings
        self._log = log

    def read(
        self, after: Position | None = None, until: Position | None = None
    ) -> Iterator[RecordedEvent]:
        """Read what is recorded behind `after`, up to and with `until`; an unknown job is empty.

        What was trimmed from the stream comes from the archive. Both are read page by page.

        Raises:
            Trimmed: some is no longer in the stream, and no archive has it.
            LogUnavailable: the server did not answer.
            ConfigError: the settings are not those of the deployment.
        """
        if self._is_remote:
            with closing(self._remote()) as job:
                yield from job.read(after, until)
            return
        begin = after or BEGINNING
        with self._opened() as reader:
            for entry in reader.entries(self.job_id, begin, until=until):
                for recorded in events_of(entry):
                    if is_between(recorded.position, begin, until):
                        yield recorded

    def entries(self, until: Position | None = None) -> Iterator[RecordedBatch]:
        """Yield entries, to that of `until`, as they stand in the stream, or the archive.

        Raises what `read` does.
        """
        with self._opened() as reader:
            yield from reader.entries(self.job_id, until=until)

    def joins(self) -> dict[str, Sequence[Sequence[Any]]]:
        """Return by producer where archived batches follow what is there no more.

        See *After a lost tail* in `docs/audit.md`. Raises what `read` does.
        """
        with self._opened() as reader:
            return reader.joins(self.job_id)

    def erasures(self) -> Sequence[Erasure]:
        """Return the lines that were erased, by whom and why. Raises what `read` does."""
        with self._opened() as reader:
            return reader.erasures(self.job_id)

    def tail(self, after: Position | None = None) -> Iterator[RecordedEvent]:
        """Read what is recorded behind `after`, then wait for more, until the run has ended.

        The run has ended with the `end` or `producer_lost` of rank 0; what stood in the stream
        behind it is delivered still, and if a new attempt stands there, or the same process goes on
        under another name, it goes on with that. No gap and no repeat, also when the server
        restarts, is away for a while or, having lost its tail, gets it again from the producers; an
        outage is logged as a warning.

        Raises:
            LogUnavailable: the server did not answer the first time.
            ConfigError: the settings are not those of the deployment.
        """
        if self._is_remote:
            with closing(self._remote()) as job:
                yield from job.tail(after)
            return
        with self._opened() as reader:
            yield from self._tail(reader, after)

    def state(self, at: Moment | None = None) -> RunState | None:
        """Return the run state that was last committed; None for a job that is not known there.

        With `at` it is as it was, by the stream: up to and with a position, or before the first
        event that was reported later than a time.

        Raises:
            ConfigError: nothing is installed that serves views, or a URL is wrong.
            SynapseStreamError: store or stream could not be read.
        """
        if at is not None:
            here = partial(state_at, self._chosen(), self.job_id)
            return self._at(at, here, lambda job, place: job.state(place))
        with opened(self._chosen()) as views:
            return views.state(self.job_id)

    def view(
        self, name: str, at: Moment | None = None, *, after: int = -1, limit: int = 100
    ) -> ViewState | None:
        """Return what the view of another package has of the job; None for an unknown job.

        Its rows come a page at a time: the first ones behind the number `after`. With `at` it is as
        it was, and without rows. Raises what `state` does; LookupError if there is no such view.
        """
        if at is not None:
            here = partial(view_at, self._chosen(), name, self.job_id)
            return self._at(at, here, lambda job, place: job.view(name, place))
        with opened(self._chosen()) as views:
            return views.view(name, self.job_id, after=after, limit=limit)

    def now_ms(self) -> int:
        """Return the server's clock, by which `RunState.health` judges.

        Raises:
            LogUnavailable: the server did not answer.
        """
        with closing(open_clock(self._chosen())) as clock:
            return clock.now_ms()

    def metric(
        self,
        name: str,
        *,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Series:
        """Return one metric's points, of the latest attempt that has any unless one is named.

        Raises:
            LookupError: there is no such metric.
            ValueError: several steps or ranks have it, and none is named.
        """
        with opened(self._chosen()) as views:
            key = find_series(views, self.job_id, name, step=step, rank=rank, attempt=attempt)
            return views.points(self.job_id, key)

    def metrics(
        self,
        name: str | None = None,
        *,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Metrics:
        """Return every point of every series that matches; None means all."""
        with opened(self._chosen()) as views:
            found = views.courses(self.job_id, name=name, step=step, rank=rank, attempt=attempt)
            return Metrics(list(found))

    def messages(
        self,
        *,
        levels: Sequence[str] | None = None,
        after: Position | None = None,
        kinds: Sequence[str] = ("message",),
        step: str | None = None,
        text: str | None = None,
        language: str | None = None,
    ) -> Iterator[Message]:
        """Yield the messages behind `after` that match, page by page; None means all.

        Args:
            levels: as `LogLevel` has them.
            after: position of the last one seen.
            kinds: of `message`, `dev_event` and `log`.
            step: only of this step.
            text: only those that contain it.
            language: what messages from templates are rendered in.
        """
        wanted = {"levels": levels, "kinds": kinds, "step": step, "text": text}
        with opened(self._chosen()) as views:
            yield from all_messages(views, self.job_id, after=after, language=language, **wanted)

    def _chosen(self) -> Settings:
        return self._settings or Settings.load()

    @property
    def _is_remote(self) -> bool:
        return self._log is None and self._chosen().url is not None

    def _remote(self) -> RemoteJob:
        from synapse_stream.reading.remote_job import RemoteJob  # noqa: PLC0415 - brings urllib3

        return RemoteJob(self._chosen(), self.job_id)

    def _at(
        self,
        at: Moment,
        here: Callable[[Position | int], _T],
        there: Callable[[RemoteJob, Position | int], _T],
    ) -> _T:
        place = at if isinstance(at, Position) else at_microseconds(at)
        if not self._is_remote:
            return here(place)
        with closing(self._remote()) as job:
            return there(job, place)

    @contextmanager
    def _opened(self) -> Iterator[JobReader]:
        log = self._log or open_log(self._chosen())
        reader = JobReader(log, lambda: open_archive(self._chosen()))
        try:
            if self._log is None:
                log.check(found=False)  # another number of partitions: every job would look empty
            yield reader
        finally:
            reader.close()
            if self._log is None:
                log.close()

    def _tail(self, reader: JobReader, after: Position | None) -> Iterator[RecordedEvent]:
        delivered: dict[str, int] = {}
        over: bool | None = None if after else False
        for entry in self._follow(reader, after or BEGINNING):
            for recorded in new_events_of(entry, delivered) if entry else ():
                if is_between(recorded.position, after or BEGINNING):
                    over = is_over(recorded.event, over)
                    yield recorded
            if entry is None and over is None:
                over = _patiently(lambda: self._was_over(reader, after or BEGINNING))
            if entry is None and over:
                return

    def _follow(self, reader: JobReader, place: Position) -> Iterator[RecordedBatch | None]:
        """Yield every entry from that of `place` on, and None whenever all have been yielded."""
        reading = reader.reading(self.job_id, place)
        entries = reading.read(_PAGE)
        while True:
            yield from entries
            if len(entries) < _PAGE:
                yield None
            entries = _patiently(lambda: reading.wait(block_ms=_BLOCK_MS, limit=_PAGE))

    def _was_over(self, reader: JobReader, at: Position) -> bool:
        """Tell whether the run had ended at a position, from the few entries that can say so."""
        over: bool | None = False
        for entry in reader.entries(self.job_id, until=at):
            if entry.batch and any(mark in entry.batch.data for mark in _TURNS):
                for recorded in events_of(entry):
                    if recorded.position <= at:
                        over = is_over(recorded.event, over)
        return bool(over)


def _patiently(read: Callable[[], _T]) -> _T:
    failures = 0
    while True:
        try:
            return read()
        except LogUnavailable as error:
            failures += 1
            if failures == 1:
                voice.warn("reading is interrupted: %s", error)
        time.sleep(pause_after(failures, _LONGEST_PAUSE_SECONDS))
